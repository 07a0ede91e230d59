"""Losses per sample from logits, gradient penalties and further loss terms."""
