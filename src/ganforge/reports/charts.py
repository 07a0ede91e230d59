"""Line charts as SVG text: small, sharp at any size, in the colours of the page, with their content in words."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
Range = tuple[float, float]

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 38
"""Room around the curves, in the units of the drawing; 360 units are the width of a narrow phone."""
MOST_POINTS = 160
"""Points of a curve; a longer log is averaged, since a screen shows no more."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2")
"""Strokes by which curves differ besides their colours; CSS has a colour for each."""
MARGIN = 0.06
"""Room above and below the curves, of their range."""
SPARK_WIDTH, SPARK_HEIGHT = 120, 26


@dataclass(frozen=True)
class Curve:
    """A named curve: points (x, y) in order of x."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Chart:
    """One or more curves over a common axis.

    Attributes:
        title: what is drawn.
        curves: with finite values; those without points are left out.
        across: title of the horizontal axis.
        healthy: ends of the healthy range, a band; None where it is open, or where there is none.
        levels: dashed horizontal lines: name and value.
        mark: a step that a vertical line marks, and what began there.
        log_x, log_y: logarithmic axes; values at or below 0 are then left out.
        note: a sentence below the chart.
    """

    title: str
    curves: Sequence[Curve]
    across: str = "step"
    healthy: tuple[float | None, float | None] = (None, None)
    levels: Sequence[tuple[str, float]] = ()
    mark: tuple[float, str] | None = None
    log_x: bool = False
    log_y: bool = False
    note: str = ""

    @property
    def drawn(self) -> "list[Curve]":
        """The curves that have points, shortened to what a screen can show."""
        kept = (Curve(curve.name, thinned(self._visible(curve.points))) for curve in self.curves)
        return [curve for curve in kept if curve.points]

    @property
    def description(self) -> str:
        """The content in words: of each curve the first and last, the lowest and highest value."""
        sentences = [_described(curve, self.across) for curve in self.drawn]
        sentences += [f"The dashed line {name} is at {number(value)}." for name, value in self.levels]
        if self.healthy != (None, None):
            sentences.append(f"Healthy: {healthy_range(*self.healthy)}.")
        if self.mark:
            sentences.append(f"Marked: {self.mark[1]} at {self.across} {self.mark[0]:,.0f}.")
        return " ".join(sentences)

    def _visible(self, points: Sequence[Point]) -> list[Point]:
        finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        return [(x, y) for x, y in finite if (x > 0 or not self.log_x) and (y > 0 or not self.log_y)]


def _described(curve: Curve, across: str) -> str:
    (first, start), (last, end) = curve.points[0], curve.points[-1]
    values = [y for _, y in curve.points]
    return (
        f"{curve.name}: {number(start)} at {across} {first:,.0f}, {number(end)} at {across} {last:,.0f}, "
        f"between {number(min(values))} and {number(max(values))}."
    )


def number(value: float) -> str:
    """Return a number as people write it: three digits, thousands separated."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-3):
        text = f"{value:.2g}"
    else:
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−", 1) if value < 0 else text


def healthy_range(low: float | None, high: float | None) -> str:
    """Return a range in words: "0.6 or more", "0.6 to 1.5"; empty where both ends are open."""
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"{number(low)} or more" if low is not None else f"{number(high or 0.0)} or less"
    return f"{number(low)} to {number(high)}"


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most `MOST_POINTS` points: the first and the last one, and between them means of neighbours."""
    if len(points) <= MOST_POINTS:
        return list(points)
    inner = points[1:-1]
    size = math.ceil(len(inner) / (MOST_POINTS - 2))
    groups = [inner[start : start + size] for start in range(0, len(inner), size)]
    means = [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
    return [points[0], *means, points[-1]]


@dataclass(frozen=True)
class Axis:
    """A mapping of values to places in the drawing."""

    ends: Range
    places: Range
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value; a value beyond an end stands at that end."""
        low, high, at = (math.log10(v) if self.log else v for v in (*self.ends, max(value, self._least)))
        share = min(1.0, max(0.0, (at - low) / (high - low)))
        return round(self.places[0] + share * (self.places[1] - self.places[0]), 1)

    @property
    def _least(self) -> float:
        return self.ends[0] if self.log else -math.inf

    @property
    def ticks(self) -> list[float]:
        """A few round values between the ends."""
        return _log_ticks(*self.ends) if self.log else _even_ticks(*self.ends)


def _even_ticks(low: float, high: float, most: int = 5) -> list[float]:
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [round(k * step, 12) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def _range(values: Sequence[float], log: bool, margin: float) -> Range:
    """Return the ends of an axis: the values with some room, and never empty."""
    low, high = min(values), max(values)
    if low == high == 0:
        return 0.0, 1.0
    if log:
        return (low / 1.5, high * 1.5) if low == high else (low / (high / low) ** margin, high * (high / low) ** margin)
    room = (high - low) * margin if low < high else abs(high) * 0.1 or 1.0
    return low - room, high + room


def axes(chart: Chart) -> tuple[Axis, Axis]:
    """Return the axes of a chart with at least one point."""
    points = [point for curve in chart.drawn for point in curve.points]
    down = [y for _, y in points]
    down += [value for value in (*chart.healthy, *(v for _, v in chart.levels)) if value is not None]
    if chart.log_y:
        down = [value for value in down if value > 0]
    across = [x for x, _ in points]
    x_ends = _range(across, chart.log_x, 0.0)
    return (
        Axis(
            x_ends if len(set(across)) > 1 else _range(across, chart.log_x, MARGIN), (LEFT, WIDTH - RIGHT), chart.log_x
        ),
        Axis(_range(down, chart.log_y, MARGIN), (HEIGHT - BOTTOM, TOP), chart.log_y),
    )


def drawing(chart: Chart) -> str:
    """Return the inside of the SVG of a chart: band, grid, levels, mark and curves; colours come from the page."""
    x, y = axes(chart)
    parts = [*_band(chart, y), *_grid(x, y), *_levels(chart, y), *_mark(chart, x)]
    parts += [_curve(place, curve, x, y) for place, curve in enumerate(chart.drawn)]
    return "".join(parts)


def _band(chart: Chart, y: Axis) -> list[str]:
    if chart.healthy == (None, None):
        return []
    low, high = chart.healthy
    bottom, top = (y(low) if low is not None else y.places[0]), (y(high) if high is not None else y.places[1])
    return [f'<rect class="healthy" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - top:.1f}"/>']


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    for tick in y.ticks:
        at = y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{right}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{at + 3.5:.1f}" text-anchor="end">{number(tick)}</text>')
    for tick in x.ticks:
        anchor = "end" if x(tick) > right - 12 else "middle"
        parts.append(f'<path class="axis" d="M{x(tick)} {bottom}v4"/>')
        parts.append(f'<text x="{x(tick)}" y="{bottom + 15}" text-anchor="{anchor}">{number(tick)}</text>')
    return parts


def _levels(chart: Chart, y: Axis) -> list[str]:
    return [
        f'<path class="level l{place % 3}" d="M{LEFT} {y(value)}H{WIDTH - RIGHT}"/>'
        for place, (_, value) in enumerate(chart.levels)
    ]


def _mark(chart: Chart, x: Axis) -> list[str]:
    if not chart.mark:
        return []
    at = x(chart.mark[0])
    return [
        f'<path class="mark" d="M{at} {TOP}V{HEIGHT - BOTTOM}"/>',
        f'<path class="flag" d="M{at} {TOP}l9 4l-9 4z"/>',
    ]


def _curve(place: int, curve: Curve, x: Axis, y: Axis) -> str:
    kind = f"curve c{place % len(DASHES)}"
    if len(curve.points) == 1:
        return f'<circle class="{kind} dot" cx="{x(curve.points[0][0])}" cy="{y(curve.points[0][1])}" r="3"/>'
    dash = f' stroke-dasharray="{DASHES[place % len(DASHES)]}"' if DASHES[place % len(DASHES)] else ""
    return f'<path class="{kind}"{dash} d="{_path(curve.points, x, y)}"/>'


def _path(points: Sequence[Point], x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """Return the path through the points; a point at the place of the one before adds nothing."""
    places = [(f"{x(a):g}", f"{y(b):g}") for a, b in points]
    kept = [places[0], *(later for earlier, later in pairwise(places) if earlier != later)]
    return "M" + "L".join(" ".join(place) for place in kept)


def spark(chart: Chart) -> str:
    """Return the inside of a small SVG without axes: the curves between 0 and the largest value, and the levels."""
    curves = chart.drawn
    points = [point for curve in curves for point in curve.points]
    top = max([y for _, y in points] + [value for _, value in chart.levels]) or 1.0
    across = [x for x, _ in points]
    x = Axis(_range(across, chart.log_x, 0.0 if len(set(across)) > 1 else MARGIN), (1, SPARK_WIDTH - 1), chart.log_x)
    y = Axis((0.0, top), (SPARK_HEIGHT - 2, 2))
    levels = [f'<path class="level l0" d="M0 {y(value)}H{SPARK_WIDTH}"/>' for _, value in chart.levels]
    return "".join([*levels, *(_curve(place, curve, x, y) for place, curve in enumerate(curves))])
