"""Latents and images in, images and logits out: one family per file, its generator beside its discriminator."""
