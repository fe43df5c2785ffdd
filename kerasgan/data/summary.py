"""A data set in words, for a terminal 80 columns wide."""

from collections.abc import Mapping, Sequence

import numpy as np

from kerasgan.data.batches import Batches
from kerasgan.data.errors import printable

_WIDTH = 80
_NAME_WIDTH = 24
_ROWS = 20  # Of a thousand classes nobody reads more in a terminal.


def summarize(name: str, class_names: Sequence[str] | None, splits: Mapping[str, Batches]) -> str:
    """Describe a data set.

    Args:
        name: Its name.
        class_names: One a class; None without labels.
        splits: Batches by name, `train` among them.

    Returns:
        Lines of at most 80 columns, without a newline at the end.
    """
    train = splits["train"]
    height, width, channels = train.images.shape[1:]
    classes = "no labels" if class_names is None else f"{len(class_names)} classes"
    facts = f"  {height} x {width} x {channels}, {classes}"
    lines = [
        _shorten(printable(name), _WIDTH - len(facts)) + facts,
        f"{_whereabouts(splits)}, [-1, 1] in batches of {train.batch_size} (float32)",
        "",
        _row("class" if class_names else "", list(splits)),
    ]
    if class_names is not None:
        lines += _class_rows(class_names, splits)
    lines.append(_row("images", [f"{batches.num_examples:,}" for batches in splits.values()]))
    lines.append(_row("batches", [f"{batches.num_batches:,}" for batches in splits.values()]))
    if class_names is not None:
        lines.append(_row("balance (max/min)", [_balance(_counts(batches)) for batches in splits.values()]))
    return "\n".join(lines)


def _whereabouts(splits: Mapping[str, Batches]) -> str:
    in_memory = [batches.images for batches in splits.values() if isinstance(batches.images, np.ndarray)]
    if not in_memory:
        return "pixels on the disk (uint8 once decoded)"
    low, high = min(int(images.min()) for images in in_memory), max(int(images.max()) for images in in_memory)
    return f"pixels {low}..{high} in memory (uint8)"


def _class_rows(class_names: Sequence[str], splits: Mapping[str, Batches]) -> list[str]:
    counts = [_counts(batches) for batches in splits.values()]
    rows = [_row(name, [f"{count[label]:,}" for count in counts]) for label, name in enumerate(class_names[:_ROWS])]
    if len(class_names) > _ROWS:
        rest = [f"{sum(count[_ROWS:]):,}" for count in counts]
        rows.append(_row(f"and {len(class_names) - _ROWS} more", rest))
    rule = "-" * len(rows[0])
    return [rule, *rows, rule]


def _counts(batches: Batches) -> list[int]:
    if batches.labels is None:
        return []
    return [int(count) for count in np.bincount(batches.labels, minlength=batches.num_classes or 0)]


def _balance(counts: Sequence[int]) -> str:
    missing = counts.count(0)
    return f"{missing} empty" if missing else f"{max(counts) / min(counts):.2f}"


def _row(title: str, cells: Sequence[str]) -> str:
    return f"{_shorten(printable(title), _NAME_WIDTH):<{_NAME_WIDTH}}" + "".join(f"{cell:>14}" for cell in cells)


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
