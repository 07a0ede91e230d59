"""Commands in processes of their own: what they give, what goes wrong, what stops them."""

import pytest

from ganforge.errors import RunFailed, UserError
from ganforge.processes import Job, side_by_side

RECIPES = ("recipes", "--json")


def test_each_gives_its_object_in_the_order_of_the_jobs(bars_file):
    jobs = [Job("data", ("data", "show", str(bars_file), "--json")), Job("recipes", RECIPES)]
    data, recipes = side_by_side(jobs, 2, 1, lambda name, line: None)
    assert data["counts"]["train"] == 160 and "vanilla" in str(recipes)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("resume", "nowhere", "--json"), UserError, "seed 7: nowhere is not a run"),
        (("--version",), RunFailed, "seed 7: its process ended with 0 and said nothing"),
        (("resume", "--nonsense"), UserError, "seed 7: .*nonsense"),
    ],
)
def test_the_first_that_fails_is_told_in_its_own_words(arguments, error, words):
    with pytest.raises(error, match=words):
        side_by_side([Job("seed 7", arguments), Job("never", RECIPES)], 1, 1, lambda name, line: None)
