"""What is taken for what: the confusion matrix as a picture."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.classification import Assessment
from kerasgan.metrics.figures import (
    BLUE,
    EDGE,
    HEADER,
    INK,
    ORANGE,
    PALE_INK,
    PAPER,
    TRACK,
    add_axes,
    as_pixels,
    new_figure,
    one_line,
    widest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 10.0  # Inches: the widest figure.
_CELL = 0.76  # Inches, at most.
_NUMBERED = 30  # Classes; with more of them no number fits into its cell.
_NAMED = 70  # Classes; with more of them only every second, third, ... name is written.
_LONGEST = 18  # Letters of a class name.
_SCALE = (0.01, 0.05, 0.2, 0.5, 1.0)


def draw_confusion(assessment: Assessment) -> npt.NDArray[np.uint8]:
    """Draw the confusion matrix, each cell coloured by its share of the true class.

    What is right is blue, what is wrong orange, on a scale that lets one per cent be seen.

    Args:
        assessment: Of any number of classes; above 30 the counts are left out, above 70 some of the names.

    Returns:
        The picture, `(height, width, 3)`, at most 1600 pixels wide.
    """
    classes = len(assessment.class_names)
    names = [one_line(name, _LONGEST) for name in assessment.class_names]
    every = -(-classes // _NAMED)
    font = min(10.0, 72 * 0.7 * every * min(_CELL, 7.0 / classes))  # points
    longest = widest(names, font)
    left = EDGE + 0.3 + longest
    side = min(_CELL * classes, _WIDTH - left - EDGE)
    cell = side / classes
    turned = longest > 0.9 * cell
    below = 0.4 + (longest if turned else font / 72)  # inches
    right = assessment.count - len(assessment.mistakes)
    facts = f"{right:,} of {assessment.count:,} right ({assessment.accuracy:.2%})"
    size = (max(left + side + EDGE, 5.2), HEADER + side + below + 0.75)
    figure = new_figure(*size, "Confusion matrix", facts)

    axes = add_axes(figure, left, HEADER, side, side)
    shares = assessment.confusion / np.maximum(assessment.support, 1)[:, np.newaxis]
    axes.imshow(_coloured(shares), interpolation="nearest", aspect="auto")
    if classes <= _NUMBERED:
        _write_counts(axes, assessment.confusion, shares, cell)
        axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=TRACK, linewidth=0.8)
    style: dict[str, Any] = {"fontsize": font, "color": INK, "parse_math": False}
    axes.set_yticks(range(0, classes, every), names[::every], va="center", **style)
    axes.set_xticks(range(0, classes, every), names[::every], rotation=90 if turned else 0, **style)
    axes.tick_params(which="both", length=0)
    axes.set_ylabel("true class", fontsize=10, color=PALE_INK)
    axes.set_xlabel("predicted class", fontsize=10, color=PALE_INK)
    for spine in axes.spines.values():
        spine.set_color(TRACK)
    _draw_scale(add_axes(figure, EDGE + 0.5, HEADER + side + below + 0.2, 2.6, 0.3))
    return as_pixels(figure)


def _coloured(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return colours, `(rows, columns, 3)`: blue on the diagonal, orange elsewhere, on white."""
    right = np.eye(len(shares), dtype=bool)
    return np.where(right[..., np.newaxis], _shade(shares, BLUE), _shade(shares, ORANGE))


def _shade(shares: npt.NDArray[np.float64], colour: str) -> npt.NDArray[np.float64]:
    from matplotlib.colors import to_rgb

    # The root lets one per cent be seen beside a hundred.
    amount = np.sqrt(shares)[..., np.newaxis]
    return (1 - amount) * np.array(to_rgb(PAPER)) + amount * np.array(to_rgb(colour))


def _write_counts(axes: "Axes", confusion: npt.NDArray[np.int64], shares: npt.NDArray[np.float64], cell: float) -> None:
    # As large as the widest number allows.
    font = min(11.0, 72 * cell * 0.5, 8.5 * cell / widest([f"{confusion.max():02}"], 10.0))
    for (true, predicted), count in np.ndenumerate(confusion):
        # Zeros pale: what is there stands out.
        colour = TRACK if count == 0 else PAPER if shares[true, predicted] > 0.35 else INK
        axes.text(predicted, true, str(count), ha="center", va="center", fontsize=font, color=colour)


def _draw_scale(axes: "Axes") -> None:
    """Draw what the colours mean, in two rows."""
    shares = np.array([_SCALE, _SCALE])
    colours = np.stack([_shade(shares[0], BLUE), _shade(shares[1], ORANGE)])
    axes.imshow(colours, aspect="auto")
    axes.set_yticks([0, 1], ["right", "wrong"])
    axes.set_xticks(range(len(_SCALE)), [f"{share:.0%}" for share in _SCALE])
    axes.tick_params(length=0, labelsize=8, colors=PALE_INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.annotate(
        "of the true class",
        (1, 0),
        (6, -4),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=PALE_INK,
    )
