"""Plots of training curves for run folders and docs."""
