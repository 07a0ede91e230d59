"""Training: the players and their state, the training steps, the training loop."""
