"""Any generator of small images measured: figures with their intervals, floors and ceilings, and comparisons."""
