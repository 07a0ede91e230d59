"""Built-in recipes, one TOML file for each method; reading.py reads them, recipe.py defines and checks the fields."""
