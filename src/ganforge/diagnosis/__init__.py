"""Numbers in, findings out: what is wrong with a run, in words."""
