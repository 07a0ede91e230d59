"""Frozen classifiers (judges) that give classes and features of images, and their training."""
