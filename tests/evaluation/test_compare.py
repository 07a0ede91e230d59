from dataclasses import replace

import pytest

from ganforge.errors import UserError
from ganforge.evaluation.compare import Group, compare, comparison_rows, distance_to_ideal
from ganforge.evaluation.metric_table import METRICS, MetricValue
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import Evaluation
from ganforge.metrics.intervals import Interval

PROTOCOL = Protocol("digits-1", "a" * 64, "mnist", "b" * 64, "test", 1000)


def group(name, *values, figure="frechet_distance", protocol=PROTOCOL):
    def evaluation(value):
        return Evaluation(name, protocol, (MetricValue(figure, value, Interval(value, value), 0.2, 90.0, 1000),))

    return Group(name, tuple(evaluation(value) for value in values))


def verdict(*groups):
    return compare(groups)[0].verdict


def test_a_difference_larger_than_the_seed_noise_is_reported():
    assert verdict(group("a", 1.0, 1.1, 0.9), group("b", 2.0, 2.1, 1.9)).startswith("a is better: more than noise")
    assert verdict(group("a", 1.0, 2.0, 1.5), group("b", 1.2, 1.9, 1.6)).startswith("cannot tell with 3 seeds (p =")


def test_fewer_than_three_seeds_give_no_verdict():
    assert verdict(group("a", 1.0), group("b", 50.0)) == "cannot tell with 1 seed: a is ahead; 3 or more would tell"
    assert verdict(group("a", 1.0, 1.0), group("b", 50.0, 50.1)).startswith("cannot tell with 2 seeds: a is ahead")
    assert verdict(group("a", 1.0, 1.1), group("b", 1.0, 1.1)) == "the same"


def test_every_metric_has_an_ideal():
    assert set(kind.better for kind in METRICS.values()) == {"low", "high", "1", "half"}
    assert distance_to_ideal("1", 1.2) == pytest.approx(distance_to_ideal("1", 0.8))
    assert distance_to_ideal("half", 0.9) > distance_to_ideal("half", 0.5)
    agreement = verdict(
        group("a", 0.9, 0.91, 0.92, figure="label_agreement"), group("b", 0.99, 0.98, 0.985, figure="label_agreement")
    )
    assert agreement.startswith("b is better")


def test_mean_deviation_and_worst_seed():
    comparison = compare([group("a", 1.0, 3.0), group("b", 2.0)])[0]
    one, other = comparison.summaries
    assert (one.mean, one.worst, one.seeds) == (2.0, 3.0, 2)
    assert one.sd == pytest.approx(2**0.5)
    assert other.sd is None
    row = comparison_rows([comparison])[0]
    assert row[:3] == ("Fréchet distance", "2 ± 1.41 (3)", "2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 5000}, "the number of images: 1000 against 5000"),
        ({"split": "validation"}, "the split: test against validation"),
        ({"judge_hash": "c" * 64, "judge": "cifar"}, r"the judge: digits-1 \(aaaaaaaa\) against cifar \(cccccccc\)"),
        ({"fingerprint": "c" * 64}, "the real images: mnist"),
        ({"version": 9}, "the version of the metrics"),
    ],
)
def test_different_protocols_are_rejected_with_their_difference(change, words):
    other = replace(PROTOCOL, **change)
    assert other.id != PROTOCOL.id
    with pytest.raises(UserError, match=words):
        compare([group("a", 1.0), group("b", 1.0, protocol=other)])


def test_the_name_of_the_data_is_no_difference():
    assert replace(PROTOCOL, data="other").id == PROTOCOL.id


def test_one_group_is_rejected_and_three_are_ranked():
    with pytest.raises(UserError, match="at least two runs"):
        compare([group("a", 1.0)])
    assert verdict(group("a", 3.0), group("b", 1.0), group("c", 2.0)).startswith("b is ahead; cannot tell with 1 seed")


def test_three_or_more_are_tested_with_holms_correction():
    good, like_it, bad = group("good", 1.0, 1.1, 0.9), group("near", 1.1, 1.2, 0.9), group("bad", 5.0, 5.2, 4.9)
    assert verdict(bad, like_it, good) == "good is better than bad: more than noise; cannot tell from near"
    assert verdict(like_it, good, group("alike", 1.0, 1.2, 0.95)) == "good is ahead, but of no other by more than noise"
    # p = .04 alone is a difference, and no longer one where it is the smallest of two
    one, other = group("one", 1.0, 1.1, 0.9), group("other", 1.2, 1.3, 1.15)
    assert verdict(one, other).startswith("one is better")
    assert verdict(one, other, group("third", 1.05, 1.1, 0.9)) == "one is ahead, but of no other by more than noise"
    still = group("still", 2.0, 2.0, 2.0)
    assert verdict(group("steady", 1.0, 1.0, 1.0), still, bad).startswith("steady is better than still, bad")
