"""The length of a training, as a step or a time."""

import math

import pytest

from ganforge.errors import UserError
from ganforge.experiment.length import Length, StopCondition, steps_per_epoch, usual_steps
from ganforge.recipes.reading import load_recipe

RECIPE = load_recipe("vanilla", ["batch_size=8", "run.epochs=3"])


def test_steps_of_an_epoch_are_rounded_down_and_at_least_one():
    assert [steps_per_epoch(RECIPE, images) for images in (79, 80, 3)] == [9, 10, 1]


def test_a_length_ends_at_a_step_or_a_time():
    assert Length().end(RECIPE, 80) == StopCondition(usual_steps(RECIPE, 80)) == StopCondition(30)
    assert Length.chosen(steps=7).end(RECIPE, 80) == StopCondition(7)
    assert Length.chosen(epochs=0.25).end(RECIPE, 80) == StopCondition(2)
    assert Length.chosen(epochs=0.01).end(RECIPE, 80) == StopCondition(1)
    assert Length.chosen(minutes=2).end(RECIPE, 80) == StopCondition(None, 120)


def test_a_recipe_may_count_thousands_of_images():
    recipe = RECIPE.with_run(kimg=1)
    assert usual_steps(recipe, 80) == math.ceil(1000 / 8)


def test_an_end_is_reached_by_step_or_by_time():
    assert StopCondition(5).is_reached(5) and not StopCondition(5).is_reached(4)
    assert StopCondition(None, 0.0).is_reached(0) and not StopCondition(None, 0.1).is_reached(10**9)


def test_only_one_length_can_be_given():
    assert not Length().is_given and Length(steps=1).is_given
    with pytest.raises(UserError, match="--steps and --minutes"):
        Length.chosen(steps=1, minutes=1)
