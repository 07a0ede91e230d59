from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from ganforge.errors import UserError
from ganforge.python_arguments import as_number, as_path, as_texts, as_whole, as_whole_numbers
from ganforge.randomness import seed_of


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.float32(3), 3.0, np.array(3), torch.tensor(3)])
def test_whole_numbers_of_every_type(value):
    number = as_whole("--n", value)
    assert type(number) is int
    assert number == 3


@pytest.mark.parametrize(
    "value",
    [
        *(True, np.True_, torch.tensor(True), 1.5, np.float64(1.5), float("nan"), float("inf"), "3", b"3", None, [3]),
        *(3j, np.array([3]), Fraction(3), object),
    ],
)
def test_other_values_than_whole_numbers_are_refused_in_one_line(value):
    with pytest.raises(UserError, match=r"--n .*: must be a whole number") as caught:
        as_whole("--n", value)
    assert "\n" not in str(caught.value)


def test_numbers_become_python_numbers():
    numbers = [as_number("--minutes", value) for value in (2, 0.5, np.float32(0.5), np.int8(2))]
    assert numbers == [2, 0.5, 0.5, 2]
    assert [type(number) for number in numbers] == [int, float, float, int]
    for value in ("2", True, None, [1.0]):
        with pytest.raises(UserError, match="must be a number"):
            as_number("--minutes", value)


@pytest.mark.parametrize("values", [[1, 2], (1, 2), np.array([1, 2]), torch.tensor([1, 2]), range(1, 3), iter([1, 2])])
def test_lists_of_whole_numbers(values):
    assert as_whole_numbers("labels", values) == [1, 2]


@pytest.mark.parametrize("values", [3, np.int64(3), None, "12", [1.5], [True], ["1"], np.array([[1], [2]])])
def test_other_values_than_lists_of_whole_numbers_are_refused(values):
    with pytest.raises(UserError, match=r"^labels"):
        as_whole_numbers("labels", values)


def test_paths_and_texts():
    assert as_path("--out", "a") == as_path("--out", Path("a")) == Path("a")
    assert as_texts("--set", "a=1") == as_texts("--set", ("a=1",)) == ["a=1"]
    for wrong in (3, None, b"a", ["a"]):
        with pytest.raises(UserError, match="must be a path"):
            as_path("--out", wrong)
    for wrong in (3, None, [1], b"a"):
        with pytest.raises(UserError, match="must be text"):
            as_texts("--set", wrong)


def test_a_long_value_is_shown_in_one_short_line():
    with pytest.raises(UserError) as caught:
        as_whole("--seed", np.zeros((30, 30)))
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)


def test_a_seed_of_any_integer_type_is_the_same():
    assert seed_of(np.int64(3), "a", np.uint8(1)) == seed_of(3, "a", 1) != seed_of(3, "a", 2)
    assert seed_of("3") != seed_of(3)
