"""A method is one short TOML file beside this one; recipe.py reads, checks and resolves it."""
