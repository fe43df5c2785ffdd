"""What the figures of this room share: paper, colours, lettering, and the way to pixels."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# As in kerasgan/data/figure.py: one report holds them all.
INK, PALE_INK, PAPER, BLUE, TRACK = "#1f2933", "#7b8794", "#ffffff", "#3e6fb0", "#e4e9ef"
ORANGE = "#c8641e"  # Tells from the blue for every kind of colour blindness.
DPI = 160
EDGE, HEADER = 0.35, 1.0  # Inches: paper around everything, and the title above it.


def new_figure(width: float, height: float, title: str, facts: str) -> "Figure":
    """Take a sheet of paper and write its title.

    Args:
        width: Inches.
        height: Inches, `HEADER` included.
        title: In large letters.
        facts: In small ones below.
    """
    # No pyplot: that has global state. Imported here, since it is slow.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    x = EDGE / width
    figure.text(x, 1 - 0.44 / height, title, fontsize=17, fontweight="bold", color=INK, parse_math=False)
    figure.text(x, 1 - 0.72 / height, facts, fontsize=10, color=PALE_INK, parse_math=False)
    return figure


def add_axes(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Add axes to a figure, placed in inches from its upper left corner."""
    full_width, full_height = figure.get_size_inches()
    bottom = full_height - top - height
    area = (left / full_width, bottom / full_height, width / full_width, height / full_height)
    return figure.add_axes(area)


def as_pixels(figure: "Figure") -> npt.NDArray[np.uint8]:
    """Draw a figure.

    Returns:
        The picture, `(height, width, 3)`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    with _any_letters():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def widest(texts: Sequence[str], size: float) -> float:
    """Return the width in inches of the longest of some labels, in letters of `size` points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    canvas: Any = FigureCanvasAgg(Figure(dpi=DPI))
    renderer, font = canvas.get_renderer(), FontProperties(size=size)
    with _any_letters():
        widths = [renderer.get_text_width_height_descent(text, font, ismath=False)[0] for text in texts]
    return float(max(widths)) / DPI


def one_line(text: str, most: int) -> str:
    """Return a text for a label: without line breaks, cut to `most` letters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


@contextmanager
def _any_letters() -> Iterator[None]:
    """Draw letters that the font lacks as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
