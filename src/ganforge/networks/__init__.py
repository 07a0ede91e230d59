"""Generators, discriminators and encoders: one family per file, and the layers that they share."""
