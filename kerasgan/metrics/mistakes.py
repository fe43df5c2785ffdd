"""The worst mistakes of a classifier, as a sheet of pictures."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.classification import Assessment, Integers, as_class_numbers
from kerasgan.metrics.figures import (
    EDGE,
    HEADER,
    INK,
    TRACK,
    add_axes,
    as_pixels,
    new_figure,
    one_line,
    widest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 5
_PICTURE = 1.54  # Inches: the longer side.
_LETTERS = 9  # Points, of a caption.
_LINE = 0.18  # Inches: a line of it.
_ACROSS, _DOWN = 0.36, 0.22  # Inches from one cell to the next.
_LONGEST = 16  # Letters of a class name.


def draw_mistakes(
    images: npt.NDArray[np.uint8], labels: npt.ArrayLike, assessment: Assessment, count: int = 25
) -> npt.NDArray[np.uint8]:
    """Draw the wrong predictions that were made with the greatest confidence, the worst first.

    Args:
        images: What was predicted on, in the same order, `(examples, height, width, channels)` with 1 or 3 channels.
        labels: As for `assess`.
        assessment: What `assess` made of them.
        count: How many to draw, at most.

    Returns:
        The picture, `(height, width, 3)`, at most 1600 pixels wide. If there was no mistake, it says so.

    Raises:
        ValueError: The arguments do not fit together, or `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"count is {count}; choose a positive number of pictures such as 25.")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"images is {images.dtype} of shape {images.shape}; give uint8 (count, height, width, channels) with 1 or "
            "3 channels."
        )
    if len(images) != assessment.count:
        raise ValueError(f"images holds {len(images)}, but {assessment.count} predictions were assessed; give those.")
    true = as_class_numbers(labels, assessment.count, len(assessment.class_names))
    shown = assessment.mistakes[:count]
    captions = _captions(true, assessment, shown)
    lines = 1 + max((caption.count("\n") for caption in captions), default=0)
    columns = min(_COLUMNS, max(3, len(shown)))
    scale = _PICTURE / max(images.shape[1:3])
    height, width = scale * images.shape[1], scale * images.shape[2]  # inches
    across, down = _PICTURE + _ACROSS, height + lines * _LINE + _DOWN
    size = (2 * EDGE + columns * across - _ACROSS, HEADER + math.ceil(len(shown) / columns) * down + 0.05)
    figure = new_figure(*size, "Worst mistakes", _facts(assessment, len(shown)))
    for index, (position, caption) in enumerate(zip(shown, captions, strict=True)):
        row, column = divmod(index, columns)
        axes = add_axes(figure, EDGE + column * across, HEADER + row * down, width, height)
        _draw_image(axes, images[position])
        below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
        axes.annotate(caption, (0, 0), (0, -5), fontsize=_LETTERS, color=INK, parse_math=False, **below)
    return as_pixels(figure)


def _facts(assessment: Assessment, shown: int) -> str:
    wrong = len(assessment.mistakes)
    if not wrong:
        return f"All {assessment.count:,} predictions are right."
    counts = f"{wrong:,} of {assessment.count:,} wrong"
    if wrong > shown:
        counts += f", the {shown} most confident of them" if shown > 1 else ", the most confident of them"
    return counts + ": true → predicted (probability)"


def _captions(true: Integers, assessment: Assessment, shown: Integers) -> list[str]:
    """Return `true → predicted (97%)` for each mistake: all on one line if each fits, else all on two."""
    names = [one_line(name, _LONGEST) for name in assessment.class_names]
    halves = [
        (f"{names[true[position]]} →", f"{names[assessment.predicted[position]]} ({_percent(certainty)})")
        for position, certainty in zip(shown, assessment.probability[shown], strict=True)
    ]
    single = [" ".join(pair) for pair in halves]
    if single and widest(single, _LETTERS) > _PICTURE + 0.8 * _ACROSS:
        return ["\n".join(pair) for pair in halves]
    return single


def _percent(probability: float) -> str:
    rounded = f"{probability:.0%}"
    # A mistake should not look surer than it was.
    return ">99%" if rounded == "100%" and probability < 1 else rounded


def _draw_image(axes: "Axes", image: npt.NDArray[np.uint8]) -> None:
    shown = image[..., 0] if image.shape[-1] == 1 else image
    # Nearest: every pixel is seen as it is.
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color(TRACK)
