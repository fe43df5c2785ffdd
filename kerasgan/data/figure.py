"""A data set in one picture: a strip of examples for each class, with its name and count."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import Pixels
from kerasgan.data.batches import Batches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 12
_ROWS = 20  # More classes than this would make a poster of the figure.
_TILE_INCHES = 0.62
_GAP = 0.08  # Between tiles, as a part of a tile.
_INK, _PALE_INK, _PAPER, _BAR, _TRACK = "#1f2933", "#7b8794", "#ffffff", "#3e6fb0", "#e4e9ef"


def draw_examples(path: Path, name: str, class_names: Sequence[str] | None, batches: Batches) -> Path:
    """Draw the first examples of each class.

    Args:
        path: The PNG to write; its folder is made if need be.
        name: Title of the figure.
        class_names: One a class; None without labels, for a plain grid.
        batches: The split to draw from.

    Returns:
        The path written.
    """
    from matplotlib.figure import (
        Figure,
    )  # Here, since it is slow to import. No pyplot: that has global state.

    rows = _class_rows(class_names, batches) if class_names is not None else _plain_rows(batches)
    height, width, channels = batches.images.shape[1:]
    step = 1 + _GAP
    tile = (
        _TILE_INCHES * math.sqrt(width / height),
        _TILE_INCHES * math.sqrt(height / width),
    )  # Keeps the area.
    left, right = (1.75, 1.75) if class_names is not None else (0.35, 0.35)
    top, bottom = 0.95, 0.3
    inner = (_COLUMNS * step * tile[0], len(rows) * step * tile[1])
    size = (inner[0] + left + right, inner[1] + top + bottom)
    figure = Figure(figsize=size, dpi=160, facecolor=_PAPER)
    area = (left / size[0], bottom / size[1], inner[0] / size[0], inner[1] / size[1])
    axes = figure.add_axes(area)
    axes.set(xlim=(0, _COLUMNS * step), ylim=(len(rows) * step, 0))
    axes.set_axis_off()
    for row, (_, examples, _) in enumerate(rows):
        for column, image in enumerate(examples):
            extent = (column * step, column * step + 1, row * step + 1, row * step)
            shown = image[..., 0] if channels == 1 else image
            axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
    axes.set(xlim=(0, _COLUMNS * step), ylim=(len(rows) * step, 0))  # Each imshow moved them.
    if class_names is not None:
        _label_rows(axes, [(title, count) for title, _, count in rows], step)
    facts = f"{batches.num_examples:,} training images, {height} x {width} x {channels}"
    if class_names is not None:
        facts += f", {len(class_names)} classes" + (f" (the first {_ROWS} shown)" if len(class_names) > _ROWS else "")
    edge = 0.35 / size[0]
    # No mathtext: a `$` in a name is a dollar sign.
    figure.text(edge, 1 - 0.42 / size[1], name, fontsize=17, fontweight="bold", color=_INK, parse_math=False)
    figure.text(edge, 1 - 0.7 / size[1], facts, fontsize=10, color=_PALE_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", facecolor=_PAPER)
    return path


_Row = tuple[str, Pixels, int]


def _class_rows(class_names: Sequence[str], batches: Batches) -> list[_Row]:
    labels = batches.labels
    assert labels is not None  # Class names are only there with labels.
    rows = []
    for label, name in enumerate(class_names[:_ROWS]):
        positions: npt.NDArray[np.int64] = np.flatnonzero(labels == label)
        rows.append((name, batches.images[positions[:_COLUMNS]], len(positions)))
    return rows


def _plain_rows(batches: Batches) -> list[_Row]:
    shown = np.arange(min(_COLUMNS * 8, batches.num_examples))
    return [("", batches.images[shown[start : start + _COLUMNS]], 0) for start in range(0, len(shown), _COLUMNS)]


def _label_rows(axes: "Axes", titles: Sequence[tuple[str, int]], step: float) -> None:
    """Write names on the left; draw counts on the right, as bars on one scale."""
    start, length = _COLUMNS * step + 0.15, 1.3
    most = max(count for _, count in titles)
    for row, (title, count) in enumerate(titles):
        middle = row * step + 0.5
        shown = title if len(title) <= 16 else title[:15] + "…"
        axes.text(
            -0.2,
            middle,
            shown,
            ha="right",
            va="center",
            fontsize=11,
            color=_INK,
            clip_on=False,
            parse_math=False,
        )
        for share, colour in ((1.0, _TRACK), (count / most, _BAR)):
            axes.barh(middle, share * length, left=start, height=0.16, color=colour, clip_on=False)
        axes.text(
            start + length + 0.15,
            middle,
            f"{count:,}",
            va="center",
            fontsize=10,
            color=_PALE_INK,
            clip_on=False,
        )
