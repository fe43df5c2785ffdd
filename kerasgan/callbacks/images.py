"""Many images as one: lay out a grid, save a PNG."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.checkpoints import write_atomically
from kerasgan.checkpoints.files import make_directory

WIDTH = 800  # pixels, at most, unless the images are larger themselves
GAP = 2  # pixels, also around the grid
GAP_GREY = 96  # tells black and white images alike from what is between them


def grid(images: npt.ArrayLike, columns: int | None = None) -> npt.NDArray[np.uint8]:
    """Lay out images in a grid, enlarged by a whole factor to at most 800 pixels in width.

    Args:
        images: Floats in [-1, 1], `(count, height, width, channels)` with 1 or 3 channels. Values beyond are
            clipped; NaN is black, so that a diverged generator still gives a picture.
        columns: Images in a row; by default as many as make the grid nearly square.

    Returns:
        The picture, `(height, width, channels)`, row by row in the order of `images`.

    Raises:
        ValueError: `images` has another shape or type, or holds nothing; or `columns` is not positive.

    Example:
        >>> save_png("samples.png", grid(gan.generate(64, seed=0)))
    """
    values = np.asarray(images)
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or 0 in values.shape:
        raise ValueError(
            f"images has shape {values.shape}; give (count, height, width, channels) with 1 or 3 channels."
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"images is {values.dtype}; give floats in [-1, 1], for example images / 127.5 - 1.")
    count, height, width, channels = values.shape
    if columns is None:
        columns = min(count, math.ceil(math.sqrt(count * height / width)))
    if columns < 1:
        raise ValueError(f"columns is {columns}; choose a positive number, or None for a square grid.")

    pixels = np.rint((np.nan_to_num(values, nan=-1.0).clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    factor = max(1, (WIDTH - GAP * (columns + 1)) // (columns * width))
    # Nearest neighbour: every pixel that the generator made is seen as it is.
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)

    rows = math.ceil(count / columns)
    cell_height, cell_width = height * factor + GAP, width * factor + GAP
    picture = np.full((rows * cell_height + GAP, columns * cell_width + GAP, channels), GAP_GREY, np.uint8)
    for index, image in enumerate(pixels):
        top, left = GAP + index // columns * cell_height, GAP + index % columns * cell_width
        picture[top : top + height * factor, left : left + width * factor] = image
    return picture


def save_png(path: str | Path, array: npt.NDArray[np.uint8]) -> None:
    """Save a picture as PNG, whole or not at all.

    Args:
        path: The file; missing directories are made.
        array: uint8, `(height, width)` or `(height, width, channels)` with 1 or 3 channels.

    Raises:
        ValueError: `array` has another shape or type.
        OSError: The disk refused; it names the file and what would help.
    """
    picture = as_png(array)
    make_directory(Path(path).parent)
    write_atomically(path, picture)


def as_png(array: npt.NDArray[np.uint8]) -> bytes:
    """Return the bytes of a picture as PNG; arguments and errors are those of `save_png`."""
    from PIL import Image

    pixels: Any = np.asarray(array)
    if pixels.dtype != np.uint8:
        raise ValueError(f"array is {pixels.dtype}; give uint8, for example grid(images).")
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]  # (height, width), which is what PIL takes for grey
    if pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[-1] == 3):
        raise ValueError(f"array has shape {pixels.shape}; give (height, width, channels) with 1 or 3 channels.")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
