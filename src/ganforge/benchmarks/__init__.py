"""Published protocols with known ground truth: the modes that a generator misses can be counted."""
