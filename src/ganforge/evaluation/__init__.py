"""Evaluation of any generator of small images: metrics with intervals and reference values, and comparisons."""
