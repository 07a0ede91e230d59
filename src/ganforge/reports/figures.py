"""Curves as PNG files."""

import io
from collections.abc import Mapping, Sequence

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
    # Figures are made without pyplot: no window, nothing global, and importing it costs a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, points in runs.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1.3, label=name)
    if floor is not None:
        axes.axhline(floor, color="grey", linestyle="--", linewidth=1, label="other real images")
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel=what, title=title)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    axes.grid(which="both", color="0.92")
    axes.legend(frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": ""})
    return file.getvalue()
