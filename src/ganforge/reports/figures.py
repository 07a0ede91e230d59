"""Curves as PNG files."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 7.0, 4.2, 110


def quality_curve(
    runs: Mapping[str, Sequence[tuple[float, float]]],
    floor: float | None,
    *,
    title: str,
    what: str = "Fréchet distance",
) -> bytes:
    """Draw a figure over seconds of training, both axes logarithmic, the lower the better; return a PNG.

    Args:
        runs: points (seconds, value), more than 0 both, for each name of the legend.
        floor: what other real images have: a dashed line.
        title: above the curve.
        what: the figure's name.
    """
    figure = _empty(HEIGHT)
    axes = figure.subplots()
    for name, points in runs.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1.3, label=name)
    if floor is not None:
        axes.axhline(floor, color="grey", linestyle="--", linewidth=1, label="other real images")
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel=what, title=title)
    for axis in (axes.xaxis, axes.yaxis):
        _plain_numbers(axis)
    axes.grid(which="both", color="0.92")
    axes.legend(frameon=False)
    return _png(figure)


def mode_curves(runs: Mapping[str, Sequence[tuple[float, float, float]]], modes: int, *, title: str) -> bytes:
    """Draw how many modes are found over the steps of training, and below it the reverse KL; return a PNG.

    Args:
        runs: points (step, modes found, reverse KL), for each name of the legend.
        modes: how many there are: a dashed line.
        title: above both.
    """
    figure = _empty(1.5 * HEIGHT + 0.1 * len(runs))
    found, far = figure.subplots(2, sharex=True)
    for name, points in runs.items():
        steps, counts, divergences = zip(*points, strict=True)
        found.plot(steps, counts, marker="o", markersize=3, linewidth=1.3, label=name)
        far.plot(steps, divergences, marker="o", markersize=3, linewidth=1.3)
    found.axhline(modes, color="grey", linestyle="--", linewidth=1, label="all there are")
    found.set(xscale="log", ylabel="modes found", title=title)
    far.set(xlabel="steps of training", ylabel="reverse KL (0: even shares)")
    for axes in (found, far):
        axes.set_ylim(bottom=0)
        axes.grid(which="both", color="0.92")
    _plain_numbers(far.xaxis)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return _png(figure)


def _empty(height: float) -> "Figure":
    # Figures are made without pyplot: no window, nothing global, and importing it costs a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _plain_numbers(axis: "Axis") -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": ""})
    return file.getvalue()
