"""Recipes with the names of fields and values of earlier versions."""

import pytest

from ganforge.errors import UserError
from ganforge.recipes.old_names import FIELDS, FLAT, VALUES, with_present_names
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe

OLD = """
name = "mine"
conditional = true
batch_size = 8
epochs = 3
order = "alternating"
packing = 1
lr_decay_start = 100
instance_noise = 0.5
ema_half_life = 1000
ema_ramp = 0.1
average_discriminator = true
sheet = "beside-real"
device = "cpu"

[latent]
dim = 4

[generator]
hidden = [4]

[discriminator]
hidden = [4]
frequencies = 3
label = "none"
classifier = "instead"

[penalties.approximate_r1]
deviation = 0.2

[terms.supervised]
weight = 1.0

[terms.invariant_information]
slant = 0.4
"""


def test_a_file_with_old_names_is_read(tmp_path):
    (tmp_path / "old.toml").write_text(OLD)
    recipe = load_recipe(tmp_path / "old.toml")
    assert (recipe.run.epochs, recipe.run.sheet, recipe.run.device) == (3, "real-and-fake", "cpu")
    assert (recipe.averaging.half_life, recipe.averaging.ramp, recipe.averaging.discriminator) == (1000, 0.1, True)
    assert (recipe.schedule.lr_decay_start, recipe.schedule.instance_noise) == (100, 0.5)
    assert (recipe.discriminator.classifier, recipe.discriminator.fourier_features) == ("k_plus_one", 3)
    assert recipe.penalties.approximate_r1.sigma == 0.2
    assert recipe.terms.invariant_information.shear == 0.4
    (tmp_path / "new.toml").write_text(recipe.to_toml())
    assert load_recipe(tmp_path / "new.toml") == recipe


def test_every_old_name_leads_to_a_field():
    for name in FLAT.values():
        table, field = name.split(".")
        assert field in type(Recipe.model_fields[table].default).model_fields
    assert not set(FLAT) & set(Recipe.model_fields)


@pytest.mark.parametrize("old", FLAT)
def test_a_change_may_have_the_old_name(old):
    table, field = FLAT[old].split(".")
    default = getattr(getattr(load_recipe("forge-1"), table), field)
    value = str(default).lower() if isinstance(default, bool) else default
    by_old, by_new = (load_recipe("forge-1", [f"{name}={value}"]) for name in (old, FLAT[old]))
    assert by_old == by_new == load_recipe("forge-1")


@pytest.mark.parametrize(("field", "old", "new"), [(f, *pair) for f in VALUES for pair in VALUES[f].items()])
def test_a_change_may_have_the_old_value(field, old, new):
    assert with_present_names({}, "x") == {}
    table, name = field.split(".")
    assert with_present_names({table: {name: old}}, "x") == {table: {name: new}}


def test_an_old_name_changes_a_recipe_that_sets_the_field():
    recipe = load_recipe("forge-1", ["ema_half_life=7", "penalties.approximate_r1.deviation=0.3"])
    assert recipe.averaging.half_life == 7 and recipe.penalties.approximate_r1.sigma == 0.3
    assert load_recipe("forge-1", ["ema_half_life=7", "ema_half_life=8"]).averaging.half_life == 8


@pytest.mark.parametrize("old", FIELDS)
def test_a_field_under_both_names_is_refused(old):
    new, values = FIELDS[old], {}
    for name in (old, new):
        place = values
        *tables, field = name.split(".")
        for table in tables:
            place = place.setdefault(table, {})
        place[field] = 1
    message = f"{old} is the old name of {new}: give one of them, not both"
    with pytest.raises(UserError, match=f"^mine.toml: {message}$"):
        with_present_names(values, "mine.toml")
    for pair in ([f"{old}=1", f"{new}=1"], [f"{new}=1", f"{old}=1"]):
        with pytest.raises(UserError, match=message):
            load_recipe("vanilla", pair)


def test_the_given_values_stay_as_they_are():
    values = {"ema_ramp": 1, "penalties": {"approximate_r1": {"deviation": 2}}}
    with_present_names(values, "x")
    assert values == {"ema_ramp": 1, "penalties": {"approximate_r1": {"deviation": 2}}}


def test_a_table_that_is_none_is_named(tmp_path):
    (tmp_path / "odd.toml").write_text("game = 3\n" + OLD)
    with pytest.raises(UserError, match="game: must be a table of fields"):
        load_recipe(tmp_path / "odd.toml")
