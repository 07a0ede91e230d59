"""Logits in, per-sample losses out."""
