import pytest
from scipy import stats

from ganforge.evaluation.compare import holm
from ganforge.evaluation.effects import effects

BASE = [10.0, 10.2, 9.8]


def effect(values, base=BASE, better="low", real_reference=0.0, **others):
    return effects(base, {"it": values, **others}, better, real_reference)["it"]


def test_a_significant_difference_helps_or_harms():
    assert effect([5.0, 5.1, 4.9]).outcome == "helps"
    assert effect([15.0, 15.1, 14.9]).outcome == "harms"
    assert effect([15.0, 15.1, 14.9], better="high", real_reference=20.0).outcome == "helps"
    assert effect([1.0, 1.01, 0.99], base=[0.5, 0.51, 0.52], better="1", real_reference=1.0).outcome == "helps"
    assert effect([0.9, 0.91, 0.92], base=[0.5, 0.51, 0.52], better="half", real_reference=0.5).outcome == "harms"


def test_gain_is_the_closed_fraction_of_the_gap_to_real_data():
    found = effect([6.0, 6.2, 5.8], real_reference=2.0)
    assert found.gain == pytest.approx(0.5)
    low, high = stats.ttest_ind(BASE, [6.0, 6.2, 5.8], equal_var=False).confidence_interval()
    assert found.interval == pytest.approx((low / 8, high / 8))
    assert found.interval.low < 0.5 < found.interval.high
    assert effect([18.0, 18.2, 17.8], real_reference=2.0).gain == pytest.approx(-1)
    at_the_reference = effect([6.0, 6.2, 5.8], real_reference=10.0)
    assert (at_the_reference.outcome, at_the_reference.gain, at_the_reference.interval) == ("helps", None, None)


def test_does_nothing_needs_an_interval_near_zero():
    assert effect([10.1, 9.9, 10.0]).outcome == "does nothing"
    assert effect([10.0, 14.0, 6.0]).outcome == "cannot tell"
    assert (
        effect([10.1, 9.9, 10.0], real_reference=9.9).outcome == "cannot tell"
    )  # the same difference, beside so short a way
    assert effect([8.0, 8.0, 8.0], base=[8.0, 8.0, 8.0], better="high", real_reference=8.0).outcome == "does nothing"
    assert effect([7.0, 7.0, 7.0], base=[8.0, 8.0, 8.0], better="high", real_reference=8.0).outcome == "harms"


def test_a_difference_significant_only_alone_is_probable():
    """p = .02: under 5 % for one comparison, above 5 % / 3 for the least of three."""
    like_base = {"b": [10.1, 9.9, 10.3], "c": [9.7, 10.3, 10.0]}
    for values, alone, among in (
        ([7.9, 6.4, 7.1], "helps", "probably helps"),
        ([12.1, 13.6, 12.9], "harms", "probably harms"),
    ):
        found = effect(values, **like_base)
        assert 0.05 / 3 < found.p_value < 0.05
        assert (effect(values).outcome, found.outcome) == (alone, among)
    small = effect([9.5, 9.4, 9.6], **{name: [10.0, 10.1, 9.9] for name in "bcd"})
    assert 0.05 / 4 < small.p_value < 0.05 and small.outcome == "does nothing"  # more than noise, and still nothing


def test_fewer_than_three_seeds_give_no_verdict():
    for few in ([1.0], [1.0, 1.1]):
        found = effect(few)
        assert (found.outcome, found.p_value, found.interval) == ("cannot tell", None, None)
        assert found.gain == pytest.approx(0.9, abs=0.02)
    assert effect([5.0, 5.1, 4.9], base=[10.0, 10.1]).outcome == "cannot tell"
    assert effect([5.0, 5.1, 4.9], base=[]).outcome == "cannot tell"


def test_many_changes_need_smaller_p_values_than_one():
    lucky = [9.3, 9.6, 9.5]
    assert effect(lucky).outcome == "helps"
    others = {f"other {k}": [9.0, 11.0, 10.0 + k / 100] for k in range(20)}
    assert effect(lucky, **others).outcome != "helps"


def test_holm_by_hand():
    assert holm([0.04]) == [True]
    assert holm([0.04, 0.03]) == [False, False]  # .03 · 2 is too much, and that ends it
    assert holm([0.04, 0.02]) == [True, True]
    assert holm([0.2, 0.001, 0.02, 0.03]) == [False, True, False, False]  # .001 · 4 holds, .02 · 3 does not
    assert holm([]) == []
