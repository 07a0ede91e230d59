"""ganforge: GANs on small images."""
