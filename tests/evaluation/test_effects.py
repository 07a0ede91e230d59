import pytest
from scipy import stats

from ganforge.evaluation.compare import holm
from ganforge.evaluation.effects import effects

BASE = [10.0, 10.2, 9.8]


def effect(values, base=BASE, better="low", floor=0.0, **others):
    return effects(base, {"change": values, **others}, better, floor)["change"]


def test_a_significant_difference_helps_or_harms():
    assert effect([5.0, 5.1, 4.9]).word == "helps"
    assert effect([15.0, 15.1, 14.9]).word == "harms"
    assert effect([15.0, 15.1, 14.9], better="high", floor=20.0).word == "helps"
    assert effect([1.0, 1.01, 0.99], base=[0.5, 0.51, 0.52], better="1", floor=1.0).word == "helps"
    assert effect([0.9, 0.91, 0.92], base=[0.5, 0.51, 0.52], better="half", floor=0.5).word == "harms"


def test_gain_is_the_closed_fraction_of_the_gap_to_real_data():
    result = effect([6.0, 6.2, 5.8], floor=2.0)
    assert result.gain == pytest.approx(0.5)
    low, high = stats.ttest_ind(BASE, [6.0, 6.2, 5.8], equal_var=False).confidence_interval()
    assert result.interval == pytest.approx((low / 8, high / 8))
    assert result.interval.low < 0.5 < result.interval.high
    assert effect([18.0, 18.2, 17.8], floor=2.0).gain == pytest.approx(-1)
    at_the_floor = effect([6.0, 6.2, 5.8], floor=10.0)
    assert (at_the_floor.word, at_the_floor.gain, at_the_floor.interval) == ("helps", None, None)


def test_does_nothing_needs_an_interval_near_zero():
    assert effect([10.1, 9.9, 10.0]).word == "does nothing"
    assert effect([10.0, 14.0, 6.0]).word == "cannot tell"
    assert (
        effect([10.1, 9.9, 10.0], floor=9.9).word == "cannot tell"
    )  # the same difference, a large part of a short way
    assert effect([8.0, 8.0, 8.0], base=[8.0, 8.0, 8.0], better="high", floor=8.0).word == "does nothing"
    assert effect([7.0, 7.0, 7.0], base=[8.0, 8.0, 8.0], better="high", floor=8.0).word == "harms"


def test_a_difference_significant_only_alone_is_probable():
    """p = .02: under 5 % for one comparison, above 5 % / 3 for the least of three."""
    like_base = {"b": [10.1, 9.9, 10.3], "c": [9.7, 10.3, 10.0]}
    for values, alone, among in (
        ([7.9, 6.4, 7.1], "helps", "probably helps"),
        ([12.1, 13.6, 12.9], "harms", "probably harms"),
    ):
        result = effect(values, **like_base)
        assert 0.05 / 3 < result.chance < 0.05
        assert (effect(values).word, result.word) == (alone, among)
    small = effect([9.5, 9.4, 9.6], **{name: [10.0, 10.1, 9.9] for name in "bcd"})
    assert 0.05 / 4 < small.chance < 0.05 and small.word == "does nothing"  # more than noise, and still nothing


def test_fewer_than_three_seeds_give_no_verdict():
    for few in ([1.0], [1.0, 1.1]):
        result = effect(few)
        assert (result.word, result.chance, result.interval) == ("cannot tell", None, None)
        assert result.gain == pytest.approx(0.9, abs=0.02)
    assert effect([5.0, 5.1, 4.9], base=[10.0, 10.1]).word == "cannot tell"
    assert effect([5.0, 5.1, 4.9], base=[]).word == "cannot tell"


def test_many_changes_need_smaller_p_values_than_one():
    lucky = [9.3, 9.6, 9.5]
    assert effect(lucky).word == "helps"
    others = {f"other {k}": [9.0, 11.0, 10.0 + k / 100] for k in range(20)}
    assert effect(lucky, **others).word != "helps"


def test_holm_by_hand():
    assert holm([0.04]) == [True]
    assert holm([0.04, 0.03]) == [False, False]  # .03 · 2 is too much, and that ends it
    assert holm([0.04, 0.02]) == [True, True]
    assert holm([0.2, 0.001, 0.02, 0.03]) == [False, True, False, False]  # .001 · 4 holds, .02 · 3 does not
    assert holm([]) == []
