"""Published protocols whose truth is known: which modes a generator misses can be counted."""
