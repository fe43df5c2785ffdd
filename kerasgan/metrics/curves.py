"""How a training went, epoch by epoch: training against validation."""

import math
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

_COLUMNS = 2
_PANEL = (4.1, 2.6)  # Inches, without its title and the numbers along its axes.
_LEFT, _ABOVE, _BELOW, _BETWEEN = 0.45, 0.5, 0.65, 0.2
_MANY = 30  # Epochs, beyond which points would hide their line.
_NO_CURVES = {"epoch", "step"}
_HIGHER_IS_BETTER = ("accuracy", "auc", "precision", "recall", "f1")
_LOWER_IS_BETTER = ("loss", "error")

_COLOURS = {"training": BLUE, "validation": ORANGE}

_Curve = list[tuple[int, float]]


def draw_curves(rows: Sequence[Mapping[str, float]]) -> npt.NDArray[np.uint8]:
    """Draw a panel for the loss, and one for every other metric that has a curve.

    Args:
        rows: One an epoch, such as `{"epoch": 1, "loss": 0.5, "val_loss": 0.6, "accuracy": 0.9}`. A value that is
            missing or not finite leaves a gap. Learning rates and clock times are no curves.

    Returns:
        The picture, `(height, width, 3)`, at most 1600 pixels wide.

    Raises:
        ValueError: There is nothing to draw.
    """
    names = metrics_of(rows)
    if not names:
        raise ValueError('rows holds no curve; give one row an epoch, such as {"epoch": 1, "loss": 0.5}.')
    columns = min(_COLUMNS, len(names))
    across, down = _LEFT + _PANEL[0] + _BETWEEN, _ABOVE + _PANEL[1] + _BELOW
    epochs = [int(row["epoch"]) for row in rows]
    facts = f"{len(epochs)} epochs" if len(epochs) > 1 else "1 epoch"
    validated = any(_curve(rows, f"val_{name}") for name in names)
    width, height = 2 * EDGE + columns * across - _BETWEEN, HEADER + math.ceil(len(names) / columns) * down
    figure = new_figure(width, height, "Training", facts)
    _draw_legend(figure, ["training", "validation"] if validated else ["training"])
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        axes = add_axes(figure, EDGE + column * across + _LEFT, HEADER + row * down + _ABOVE, *_PANEL)
        _draw_panel(axes, name, {"training": _curve(rows, name), "validation": _curve(rows, f"val_{name}")})
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    return as_pixels(figure)


def metrics_of(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the names of the metrics that have a curve: the loss, then accuracies, then the others."""
    found = {name.removeprefix("val_") for row in rows for name in row if name not in _NO_CURVES}
    drawable = [
        name
        for name in found
        # ReduceLROnPlateau logs learning_rate_adam.
        if not name.startswith("learning_rate") and not name.endswith("seconds")
        if _curve(rows, name) or _curve(rows, f"val_{name}")
    ]
    return sorted(drawable, key=lambda name: (name != "loss", "accuracy" not in name, name))


def _curve(rows: Sequence[Mapping[str, float]], name: str) -> _Curve:
    points = [(int(row["epoch"]), float(row[name])) for row in rows if name in row]
    return [(epoch, value) for epoch, value in points if math.isfinite(value)]


def _best(name: str, curve: _Curve) -> tuple[int, float] | None:
    """Return the best point, the first of several, where the name tells what is better."""
    if not curve or not any(word in name for word in (*_HIGHER_IS_BETTER, *_LOWER_IS_BETTER)):
        return None
    sign = 1 if any(word in name for word in _LOWER_IS_BETTER) else -1
    return min(curve, key=lambda point: sign * point[1])


def _draw_panel(axes: "Axes", name: str, curves: Mapping[str, _Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "parse_math": False}
    for label, curve in curves.items():
        if curve:
            marker = "o" if len(curve) <= _MANY else ""
            axes.plot(*zip(*curve, strict=True), color=_COLOURS[label], marker=marker, markersize=3.5, linewidth=1.6)
    axes.annotate(one_line(name, 28), (0, 1), (0, 10), fontsize=12, fontweight="bold", color=INK, **above)
    best = _best(name, curves["validation"])
    if best is not None:
        axes.plot(*best, marker="o", markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.3)
        note = f"best validation {best[1]:.4g}, epoch {best[0]}"
        axes.annotate(note, (1, 1), (0, 10), ha="right", fontsize=9, color=ORANGE, **above)
    axes.margins(y=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch", fontsize=9, color=PALE_INK)
    axes.tick_params(labelsize=9, colors=PALE_INK, length=0)
    axes.grid(axis="y", color=TRACK)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(TRACK)


def _draw_legend(figure: "Figure", labels: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    lines = [Line2D([], [], color=_COLOURS[label], linewidth=2, label=label) for label in labels]
    corner = (1 - EDGE / width, 1 - 0.58 / height)
    style: dict[str, Any] = {"frameon": False, "borderpad": 0.0, "borderaxespad": 0.0, "handlelength": 1.5}
    figure.legend(
        handles=lines, loc="upper right", bbox_to_anchor=corner, ncols=2, fontsize=10, labelcolor=INK, **style
    )
