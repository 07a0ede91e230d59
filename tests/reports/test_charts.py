import math
import re

import pytest

from ganforge.reports import charts
from ganforge.reports.charts import Chart, Curve, axes, drawing, healthy_range, number, spark, thinned

LINE = Curve("loss", [(0.0, 1.0), (50.0, 3.0), (100.0, 2.0)])


def test_the_description_tells_what_is_drawn():
    chart = Chart("t", [LINE], healthy=(0.5, None), levels=[("chance", 1.386)], mark=(50, "first seen"))
    assert chart.description == (
        "loss: 1 at step 0, 2 at step 100, between 1 and 3. The dashed line chance is at 1.39. Healthy: 0.5 or more. "
        "Marked: first seen at step 50."
    )


def test_values_that_are_not_finite_and_points_beyond_a_logarithm_are_left_out():
    points = [(0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 2.0), (4.0, -1.0)]
    assert Chart("t", [Curve("c", points)]).drawn[0].points == [(0.0, 1.0), (3.0, 2.0), (4.0, -1.0)]
    assert Chart("t", [Curve("c", points)], log_x=True, log_y=True).drawn[0].points == [(3.0, 2.0)]
    assert Chart("t", [Curve("c", [(0.0, math.nan)])]).drawn == []


def test_a_long_curve_keeps_its_ends_and_its_mean():
    points = [(float(k), float(k % 7)) for k in range(10_001)]
    kept = thinned(points)
    assert len(kept) <= charts.MOST_POINTS and kept[0] == points[0] and kept[-1] == points[-1]
    assert sum(y for _, y in kept) / len(kept) == pytest.approx(3, abs=0.2)


def test_axes_hold_curves_levels_and_the_healthy_range():
    x, y = axes(Chart("t", [LINE], healthy=(None, 5.0), levels=[("low", -2.0)]))
    assert x.ends == (0, 100) and y.ends[0] < -2 and y.ends[1] > 5
    assert y(-2) > y(5)  # up is up
    assert x(0) == charts.LEFT and x(100) == charts.WIDTH - charts.RIGHT
    assert x.ticks == [0, 20, 40, 60, 80, 100] or x.ticks == [0, 50, 100]


def test_logarithmic_ticks_are_powers_and_few():
    _, y = axes(Chart("t", [Curve("c", [(1.0, 0.2), (2.0, 4000.0)])], log_y=True))
    assert y.ticks == [1, 10, 100, 1000]
    x, _ = axes(Chart("t", [Curve("c", [(320.0, 1.0), (1500.0, 2.0)])], log_x=True))
    assert x.ticks == [500, 1000]
    assert y(1) - y(10) == pytest.approx(y(10) - y(100), abs=0.2)


@pytest.mark.parametrize("points", [[(5.0, 2.0)], [(5.0, 2.0), (6.0, 2.0)], [(0.0, 0.0), (1.0, 0.0)]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_flat_curve_or_a_single_point_can_be_drawn(points, logarithmic):
    chart = Chart("t", [Curve("c", points)], log_x=logarithmic, log_y=logarithmic)
    if chart.drawn:
        assert "nan" not in drawing(chart) and "nan" not in spark(chart)


def test_a_drawing_holds_numbers_alone_and_no_text_of_the_user():
    chart = Chart("<b>", [Curve("<script>", LINE.points)], levels=[("<i>", 2.0)], mark=(50, "<u>"), healthy=(1.0, 2.0))
    assert "<b>" not in drawing(chart) and "script" not in drawing(chart) and "<u>" not in drawing(chart)
    texts = re.findall(r">([^<]+)</text>", drawing(chart))
    assert texts and all(re.fullmatch(r"[−\d.,e+]+", text) for text in texts)


def test_curves_differ_by_more_than_colour():
    strokes = re.findall(r'stroke-dasharray="([^"]*)"', drawing(Chart("t", [LINE] * len(charts.DASHES))))
    assert len(set(strokes)) == len(charts.DASHES) - 1  # the first is solid


def test_numbers_and_ranges_in_words():
    assert [number(x) for x in (0, 1.5, -0.25, 12_345.6, 1e-5, 2.5e9)] == [
        *("0", "1.5", "−0.25", "12,346", "1e-05", "2.5e+09")
    ]
    assert healthy_range(0.6, None) == "0.6 or more" and healthy_range(None, 0.0) == "0 or less"
    assert healthy_range(1, 2) == "1 to 2" and healthy_range(None, None) == ""
