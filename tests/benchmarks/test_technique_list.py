import pytest

from ganforge.benchmarks.cost import FREE, cost_of, measure_cost
from ganforge.benchmarks.protocols import PROTOCOLS, Plan
from ganforge.benchmarks.technique_list import BASE, TECHNIQUES
from ganforge.recipes.reading import load_recipe

SMALL = ["generator.hidden=[8, 8]", "discriminator.hidden=[6]", "run.device=cpu"]


def test_every_technique_has_a_unique_name_and_a_description():
    names = [technique.name for technique in (BASE, *TECHNIQUES)]
    assert len(set(names)) == len(names) >= 13
    assert all(technique.changes and technique.about for technique in TECHNIQUES)
    assert not BASE.changes
    assert all("," not in name and "/" not in name for name in names)  # --only splits at commas; names are folders


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_changes_name_fields_and_change_them(technique):
    # fields of these two are not those of a fully connected net without batch norm
    recipe = "forge-1-unconditional" if technique.name in ("minibatch-std", "virtual-batch-norm") else "vanilla"
    base = load_recipe(recipe, ["adam.beta1=0.7", "game.order=alternating"])
    changed = load_recipe(recipe, ["adam.beta1=0.7", *technique.changes])
    assert changed != base or technique.name == "alternating"


def test_a_data_set_may_have_changes_of_its_own():
    r1 = next(technique for technique in TECHNIQUES if technique.name == "r1")
    assert r1.changes_on("mnist") == r1.changes_on("mnist-500") == r1.changes
    assert r1.changes_on("ring") != r1.changes


def test_at_equal_compute_a_costlier_technique_gets_fewer_steps():
    cost = cost_of([(0.010, 0.015), (0.020, 0.030), (0.010, 0.100)])  # the last round was disturbed
    assert (cost.ratio, cost.low, cost.high) == pytest.approx((1.5, 1.5, 10))
    assert cost.base_seconds == 0.010 and cost.seconds == 0.030
    assert cost.steps(3000) == 2000
    assert cost_of([(1.0, 4.0)]).steps(2) == 1 and cost_of([(1.0, 400.0)]).steps(2) == 1
    assert cost_of([(1.0, 0.5)]).steps(10) == 20
    assert FREE.steps(1234) == 1234


def test_ten_discriminator_steps_cost_more_and_the_measurement_leaves_no_files(tmp_path):
    base = load_recipe("gan-2d", [*SMALL, "game.order=alternating"])
    greedy = load_recipe("gan-2d", [*SMALL, "game.order=alternating", "game.discriminator_steps=10"])
    cost = measure_cost(Plan(PROTOCOLS["ring"], greedy, 100, True, tmp_path / "row"), base, 0.02)
    assert 2 < cost.ratio < 20
    assert cost.low <= cost.ratio <= cost.high
    assert cost.seconds > cost.base_seconds > 0
    assert not (tmp_path / "row").exists()
