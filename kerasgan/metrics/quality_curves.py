"""How good samples became while a generator was trained."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.figures import (
    BLUE,
    EDGE,
    HEADER,
    INK,
    ORANGE,
    PALE_INK,
    TRACK,
    add_axes,
    as_pixels,
    new_figure,
    one_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (4.05, 2.4)  # Inches, without its title and the numbers along its axes.
_LEFT, _ABOVE, _BELOW, _BETWEEN = 0.5, 0.45, 0.6, 0.15
_MANY = 40  # Checkpoints, beyond which points would hide their line.
# Name -> title, what is better, and whether values can be of any size.
_PANELS = {
    "frechet_distance": ("Fréchet distance", "low", True),
    "kernel_distance": ("kernel distance x 1000", "low", True),
    "precision": ("precision", "high", False),
    "recall": ("recall", "high", False),
}


def draw_quality_curves(
    rows: Sequence[Mapping[str, float]], real: Mapping[str, float] | None = None, *, facts: str = ""
) -> npt.NDArray[np.uint8]:
    """Draw the quick measures of samples against training steps.

    Args:
        rows: One a checkpoint: `step`, and what `kerasgan.metrics.Yardstick.measure` returns. A value that is missing
            or not finite leaves a gap.
        real: The same measures of real images against others, drawn as a dashed line each.
        facts: Written below the title, such as the run and the number of samples.

    Returns:
        The picture, `(height, width, 3)`, at most 1600 pixels wide.

    Raises:
        ValueError: There is nothing to draw.
    """
    if not any(np.isfinite(row.get(name, np.nan)) for row in rows for name in _PANELS):
        raise ValueError('rows holds no measure; give one row a checkpoint, such as {"step": 100, "precision": 0.5}.')
    ordered = sorted(rows, key=lambda row: row["step"])
    across, down = _LEFT + _PANEL[0] + _BETWEEN, _ABOVE + _PANEL[1] + _BELOW
    figure = new_figure(2 * EDGE + 2 * across - _BETWEEN, HEADER + 2 * down, "Quality of samples", one_line(facts, 90))
    _draw_legend(figure, with_real=bool(real))
    for index, name in enumerate(_PANELS):
        row, column = divmod(index, 2)
        axes = add_axes(figure, EDGE + column * across + _LEFT, HEADER + row * down + _ABOVE, *_PANEL)
        _draw_panel(axes, name, ordered, None if real is None else real.get(name))
    return as_pixels(figure)


def _draw_panel(axes: "Axes", name: str, rows: Sequence[Mapping[str, float]], real: float | None) -> None:
    from matplotlib.ticker import MaxNLocator

    title, better, unbounded = _PANELS[name]
    scale = 1000.0 if name == "kernel_distance" else 1.0
    steps = np.array([row["step"] for row in rows], float)
    values = scale * np.array([row.get(name, np.nan) for row in rows], float)
    values[~np.isfinite(values)] = np.nan
    axes.plot(steps, values, color=BLUE, marker="o" if len(rows) <= _MANY else "", markersize=4, linewidth=1.6)
    if real is not None and np.isfinite(real):
        axes.axhline(scale * real, color=ORANGE, linewidth=1.4, linestyle=(0, (4, 3)), zorder=1)
    if not unbounded:
        axes.set_ylim(-0.03, 1.03)
    else:  # from a little below 0, where the dashed line lies
        axes.set_ylim(bottom=min(0.0, np.nanmin(values, initial=0.0)) - 0.03 * np.nanmax(values, initial=0.01))
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(title, (0, 1), (0, 8), fontsize=12, fontweight="bold", color=INK, **above)
    found = np.flatnonzero(np.isfinite(values))
    if len(found) and np.ptp(values[found]):  # of equal ones none is the best
        sign = 1 if better == "low" else -1
        best = found[np.argmin(sign * values[found])]
        axes.plot(
            steps[best], values[best], marker="o", markersize=9, markerfacecolor="none", markeredgecolor=INK, zorder=4
        )
        note = f"best {values[best]:,.4g}, step {int(steps[best]):,}"
        axes.annotate(note, (1, 1), (0, 8), ha="right", fontsize=9, color=PALE_INK, **above)
    axes.margins(x=0.05)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlabel("training step", fontsize=9, color=PALE_INK)
    axes.tick_params(labelsize=9, colors=PALE_INK, length=0)
    axes.grid(axis="y", color=TRACK)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(TRACK)


def _draw_legend(figure: "Figure", *, with_real: bool) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    lines = [Line2D([], [], color=BLUE, linewidth=2, label="samples")]
    if with_real:
        lines.append(Line2D([], [], color=ORANGE, linewidth=1.6, linestyle=(0, (4, 3)), label="real against real"))
    style: dict[str, Any] = {"frameon": False, "borderpad": 0.0, "borderaxespad": 0.0, "handlelength": 1.8}
    style |= {"loc": "upper right", "bbox_to_anchor": (1 - EDGE / width, 1 - 0.58 / height)}
    figure.legend(handles=lines, ncols=2, fontsize=10, labelcolor=INK, **style)
