"""Recipes: fields, checks, former names and explanations; ``builtin`` holds one TOML file for each method."""
