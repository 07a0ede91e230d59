"""Experiments: recipe, data, run folder, training loop and hooks combined; the commands call this package."""
