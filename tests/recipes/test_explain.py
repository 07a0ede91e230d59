"""The explained TOML of ``ganforge recipes show``."""

import tomllib

import pytest

from ganforge.recipes.explain import explain, with_flat_names
from ganforge.recipes.old_names import FLAT
from ganforge.recipes.reading import built_in, load_recipe, parse
from ganforge.recipes.run_tables import Adam, Averaging, DataSettings, Game, RunSettings, Schedule


@pytest.mark.parametrize("name", built_in())
def test_an_explained_recipe_loads_as_the_same_recipe(name):
    recipe = load_recipe(name)
    text = explain(recipe)
    assert parse(tomllib.loads(text), "text") == recipe
    assert text.count("\n# ") >= text.count("\n[")  # every table has its comment


@pytest.mark.parametrize("table", [Adam, Averaging, DataSettings, Game, RunSettings, Schedule])
def test_every_field_of_these_tables_is_described(table):
    assert all(field.description for field in table.model_fields.values())


def test_fields_stand_in_tables_beside_their_explanation():
    text = explain(load_recipe("forge-2"))
    averaging = text[text.index("[averaging]") :]
    assert "half_life = 500000.0   # images seen in which a weight's share in the average halves" in averaging
    assert "# not in this recipe: r1, r2, gradient_penalty" in text


def test_quotes_and_unusual_characters_survive():
    recipe = load_recipe("vanilla", ["summary='a \"b\" # ½'", "aliases=['x', 'y']"])
    assert parse(tomllib.loads(explain(recipe)), "text") == recipe


def test_json_has_the_tables_and_the_former_flat_names():
    values = with_flat_names(load_recipe("forge-2"))
    assert values["ema_half_life"] == values["averaging"]["half_life"] == 500_000
    assert set(FLAT) < set(values)
