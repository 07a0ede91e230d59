import dataclasses

import pytest
import torch
from pydantic import TypeAdapter

from conftest import small_images
from ganforge.data.images import Splits
from ganforge.data.pairs import PairsTable
from ganforge.evaluation.attainable import ConditionNetwork, attainable_accuracy


def rule(**values):
    return TypeAdapter(PairsTable).validate_python(values)


@pytest.fixture(scope="module")
def splits():
    return Splits(*(small_images(n, side=16, seed=seed) for seed, n in enumerate((600, 100, 200))))


@pytest.mark.parametrize("pairs", [rule(kind="downsample", factor=4), rule(kind="mask")])
def test_a_condition_that_shows_the_class_is_read(splits, pairs):
    done = []
    share = attainable_accuracy(pairs, splits, splits.test, 0, 6, lambda *epoch: done.append(epoch))
    assert share > 0.7
    assert done == [(epoch, 6) for epoch in range(1, 7)]


def test_a_condition_without_the_class_is_read_by_chance(splits):
    wrong = torch.arange(len(splits.train)) % 4
    shuffled = dataclasses.replace(splits, train=dataclasses.replace(splits.train, labels=wrong))
    pairs = rule(kind="downsample", factor=4)
    shares = [attainable_accuracy(pairs, shuffled, splits.test, epochs=1) for _ in range(2)]
    assert shares[0] < 0.5
    assert shares[0] == shares[1], "the arguments determine the network"


def test_torch_random_state_is_unchanged(splits):
    before = torch.get_rng_state()
    attainable_accuracy(rule(kind="downsample", factor=8), splits, splits.test, epochs=1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 7, 7), (2, 28, 28), (1, 32, 32), (3, 64, 48)])
def test_the_network_takes_conditions_of_any_size(shape):
    assert ConditionNetwork(shape, 10)(torch.rand(3, *shape)).shape == (3, 10)
