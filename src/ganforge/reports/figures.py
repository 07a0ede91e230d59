"""Training curves as PNG files."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 7.0, 4.2, 110


def quality_curve(
    runs: Mapping[str, Sequence[tuple[float, float]]],
    floor: float,
    *,
    title: str,
) -> bytes:
    """Plot the Fréchet distance over seconds of training on logarithmic axes and return a PNG.

    Args:
        runs: points (seconds, value), both above 0, for each name of the legend.
        floor: value of held-out real images, a dashed line.
        title: above the curve.
    """
    figure = _empty(HEIGHT)
    axes = figure.subplots()
    for name, points in runs.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1.3, label=name)
    axes.axhline(floor, color="grey", linestyle="--", linewidth=1, label="other real images")
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="Fréchet distance", title=title)
    for axis in (axes.xaxis, axes.yaxis):
        _plain_numbers(axis)
    axes.grid(which="both", color="0.92")
    axes.legend(frameon=False)
    return _png(figure)


def mode_curves(runs: Mapping[str, Sequence[tuple[float, float, float]]], modes: int, *, title: str) -> bytes:
    """Plot the modes found over the training steps, and the reverse KL below, and return a PNG.

    Args:
        runs: points (step, modes found, reverse KL) for each name of the legend.
        modes: number of all modes, a dashed line.
        title: above both plots.
    """
    figure = _empty(1.5 * HEIGHT + 0.1 * len(runs))
    modes_axes, kl_axes = figure.subplots(2, sharex=True)
    for name, points in runs.items():
        steps, counts, divergences = zip(*points, strict=True)
        modes_axes.plot(steps, counts, marker="o", markersize=3, linewidth=1.3, label=name)
        kl_axes.plot(steps, divergences, marker="o", markersize=3, linewidth=1.3)
    modes_axes.axhline(modes, color="grey", linestyle="--", linewidth=1, label="all modes")
    modes_axes.set(xscale="log", ylabel="modes found", title=title)
    kl_axes.set(xlabel="steps of training", ylabel="reverse KL (0: equal shares)")
    for axes in (modes_axes, kl_axes):
        axes.set_ylim(bottom=0)
        axes.grid(which="both", color="0.92")
    _plain_numbers(kl_axes.xaxis)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return _png(figure)


def _empty(height: float) -> "Figure":
    # No pyplot: it opens windows, keeps global state and takes a second to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _plain_numbers(axis: "Axis") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = axis.get_view_interval()
    if high < 10 * low:  # a power of ten alone would leave one label or none
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": ""})
    return file.getvalue()
