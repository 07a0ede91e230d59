"""Numbers in, pictures out: curves that a run folder and the docs show."""
