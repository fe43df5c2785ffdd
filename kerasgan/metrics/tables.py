"""Tables in Markdown that can also be read in a terminal."""

import re
from collections.abc import Sequence

# An underscore inside a word, as in `val_loss`, stands for itself.
_MEANINGFUL = re.compile(r"([\\`*\[\]<>|$~&#]|(?<![^\W_])_|_(?![^\W_]))")


def escape(text: str) -> str:
    """Write any text so that Markdown shows it as it is, on one line.

    Args:
        text: Such as the name of a class, which may hold any character.

    Returns:
        The text with a backslash before what Markdown would act upon, each line break a space, and any other
        unprintable character as its Python escape.
    """
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in " ".join(text.split()))
    return _MEANINGFUL.sub(r"\\\1", line)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table: the first column to the left, the others, which hold figures, to the right.

    Args:
        headings: One a column.
        rows: Cells, escaped where they need it.

    Returns:
        Lines of equal length, without a newline at the end.
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    return "\n".join(map(line, [headings, rule, *rows]))
