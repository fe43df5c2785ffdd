"""Samples on one sheet: beside their nearest training images, on the way to each other, and class by class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.features import Array, Pixels, as_pixels
from kerasgan.metrics.figures import DPI, EDGE, HEADER, INK, PALE_INK, add_axes, new_figure, one_line, widest
from kerasgan.metrics.figures import as_pixels as drawn

_WIDTH = 1488  # Pixels of the sheet, without its edges.
_CELL = 84  # Pixels of an image on it: a whole number of times 28.
_LARGEST = 360  # Pixels of an image beyond which rows and columns are left out.
_GAP, _APART = 3, 16  # Pixels between images, and between pairs of them.
_ROWS = 4  # Of samples with their neighbours, and of ways between samples.
_MOST_CLASSES = 20
_ABOVE, _BELOW = 0.3, 0.3  # Inches: the heading of a part, and what is free under a part.
_LETTERS, _HEADING = 9, 11  # Points.
_LONGEST = 16  # Letters of a class name.


def draw_contact_sheet(
    samples: Array,
    nearest: Array | None = None,
    interpolations: Array | None = None,
    by_class: Array | None = None,
    *,
    class_names: Sequence[str] | None = None,
    facts: str = "",
) -> Pixels:
    """Draw what a generator makes, none of it chosen.

    Args:
        samples: `(count, height, width, channels)` with 1 or 3 channels: floats in [-1, 1], or uint8. As many are
            shown as four rows hold, the first ones.
        nearest: The training image nearest to each sample, likewise, drawn to its right; None to draw samples alone.
        interpolations: Ways from one sample to another, `(rows, steps, height, width, channels)`, a row each; the first
            four, and of their steps as many as fit. None to leave that part out.
        by_class: Samples of each class, `(classes, count, height, width, channels)`, a row a class, up to 20. None to
            leave that part out.
        class_names: One a class, or more where `by_class` is only of the first ones; their numbers if None.
        facts: Written below the title, such as the run and its step.

    Returns:
        The picture, `(height, width, 3)`, 1600 pixels wide.

    Raises:
        ValueError: An argument is not that, or the numbers of images do not agree.
    """
    _check(samples, "samples", 4)
    if nearest is not None and len(nearest) != len(samples):
        raise ValueError(f"nearest has {len(nearest)} images and samples {len(samples)}; give one for each.")
    parts: list[tuple[str, Pixels, Sequence[str]]] = [_samples_part(samples, nearest)]
    if interpolations is not None:
        _check(interpolations, "interpolations", 5)
        parts.append(_interpolations_part(interpolations))
    if by_class is not None:
        _check(by_class, "by_class", 5)
        names = [str(number) for number in range(len(by_class))] if class_names is None else class_names
        if len(names) < len(by_class):
            raise ValueError(f"class_names has {len(names)} names for {len(by_class)} classes; give one for each.")
        parts.append(_classes_part(by_class, names))

    heights = [_ABOVE + picture.shape[0] / DPI + _BELOW for _, picture, _ in parts]
    figure = new_figure(2 * EDGE + _WIDTH / DPI, HEADER + sum(heights), "Samples", one_line(facts, 110))
    top = HEADER
    for (heading, picture, labels), height in zip(parts, heights, strict=True):
        left = EDGE + _label_width(labels) / DPI
        axes = add_axes(figure, left, top + _ABOVE, picture.shape[1] / DPI, picture.shape[0] / DPI)
        axes.imshow(picture, aspect="auto", interpolation="nearest")
        axes.set_axis_off()
        above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "parse_math": False}
        shift = -_label_width(labels) / DPI * 72  # The heading begins where the labels do.
        axes.annotate(heading, (0, 1), (shift, 7), fontsize=_HEADING, fontweight="bold", color=INK, **above)
        for row, label in enumerate(labels):
            place = 1 - (row + 0.5) / len(labels)
            style: dict[str, Any] = {"va": "center", "fontsize": _LETTERS, "color": PALE_INK, **above}
            axes.annotate(label, (0, place), (shift, 0), **style)
        top += height
    return drawn(figure)


def _samples_part(samples: Array, nearest: Array | None) -> tuple[str, Pixels, Sequence[str]]:
    shown = samples if nearest is None else np.stack([as_pixels(samples), as_pixels(nearest)], axis=1)
    if nearest is None:
        columns = _columns(samples.shape[-2])
        count = min(len(samples), _ROWS * columns)
        return f"The first {count:,} samples", _table(_rows_of(as_pixels(shown[:count]), columns)), ()
    side = _side(samples.shape[-2])
    columns = max(1, (_WIDTH + _APART) // (2 * side + _GAP + _APART))
    count = min(len(samples), _ROWS * columns)
    pairs = np.stack([_enlarged(shown[:count, which]) for which in (0, 1)], axis=1)  # (count, 2, height, width, 3)
    height = pairs.shape[2]
    joined = np.concatenate([pairs[:, 0], _paper(count, height, _GAP), pairs[:, 1]], axis=2)
    heading = f"The first {count:,} samples, each beside the training image that is nearest to it"
    return heading, _table(_rows_of(joined, columns), apart=_APART, enlarge=False), ()


def _interpolations_part(ways: Array) -> tuple[str, Pixels, Sequence[str]]:
    columns = min(ways.shape[1], _columns(ways.shape[-2]))
    steps = np.unique(np.linspace(0, ways.shape[1] - 1, columns).round().astype(int))
    shown = as_pixels(ways[:_ROWS][:, steps].reshape(-1, *ways.shape[2:]))
    return "From one sample to another", _table(_rows_of(shown, len(steps))), ()


def _classes_part(by_class: Array, names: Sequence[str]) -> tuple[str, Pixels, Sequence[str]]:
    classes = min(len(by_class), _MOST_CLASSES)
    labels = [one_line(name, _LONGEST) for name in names[:classes]]
    columns = min(by_class.shape[1], _columns(by_class.shape[-2], _label_width(labels)))
    shown = as_pixels(by_class[:classes, :columns].reshape(-1, *by_class.shape[2:]))
    heading = "One row a class" if classes == len(names) else f"One row a class: {classes} of {len(names):,}"
    return heading, _table(_rows_of(shown, columns)), labels


def _check(images: Array, name: str, dimensions: int) -> None:
    if images.ndim != dimensions or images.shape[-1] not in (1, 3) or 0 in images.shape:
        wanted = "(count, height, width, channels)" if dimensions == 4 else "(rows, count, height, width, channels)"
        raise ValueError(f"{name} has shape {images.shape}; give {wanted} with 1 or 3 channels.")


def _label_width(labels: Sequence[str]) -> int:
    """Return the pixels that labels take to the left of their rows."""
    return round(widest(labels, _LETTERS) * DPI) + 12 if labels else 0


def _side(width: int) -> int:
    """Return how wide an image becomes: small ones are enlarged, large ones thinned out, both by a whole factor."""
    step = -(-width // _LARGEST)
    return len(range(0, width, step)) * max(1, _CELL // width)


def _columns(width: int, taken: int = 0) -> int:
    return max(1, (_WIDTH - taken + _GAP) // (_side(width) + _GAP))


def _enlarged(images: Pixels) -> Pixels:
    """Return images as they are drawn, `(count, height, width, 3)`: every pixel that is left is seen as it is."""
    width = images.shape[2]
    step, factor = -(-width // _LARGEST), max(1, _CELL // width)
    sized = images[:, ::step, ::step].repeat(factor, axis=1).repeat(factor, axis=2)
    return np.broadcast_to(sized, (*sized.shape[:3], 3))


def _paper(count: int, height: int, width: int) -> Pixels:
    return np.full((count, height, width, 3), 255, np.uint8)


def _rows_of(images: Pixels, columns: int) -> list[Pixels]:
    return [images[first : first + columns] for first in range(0, len(images), columns)]


def _table(rows: Sequence[Pixels], *, apart: int = _GAP, enlarge: bool = True) -> Pixels:
    """Lay out rows of images, `(count, height, width, channels)` each, on white paper."""
    sized = [_enlarged(row) if enlarge else row for row in rows]
    height, width = sized[0].shape[1:3]
    picture: npt.NDArray[np.uint8] = _paper(
        1, len(sized) * (height + _GAP) - _GAP, len(sized[0]) * (width + apart) - apart
    )[0]
    for number, row in enumerate(sized):
        for place, image in enumerate(row):
            top, left = number * (height + _GAP), place * (width + apart)
            picture[top : top + height, left : left + width] = image
    return picture
