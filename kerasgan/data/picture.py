"""One picture of any size, made to look like those that a network was trained on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasgan.data.arrays import Floats, Pixels
from kerasgan.data.background import border_colours
from kerasgan.data.errors import DataError
from kerasgan.data.images import normalize
from kerasgan.data.pictures import check_header, may_be_transparent, open_picture

if TYPE_CHECKING:
    from PIL import Image

_MIDDLE_GREY = 127.5
# Large pictures are first averaged down to this many times the size wanted: quicker, looks the same, and keeps
# the filter small for a picture that is one pixel high and millions wide.
_REDUCING_GAP = 3.0


def read_picture(
    path: str | os.PathLike[str],
    image_shape: tuple[int, int, int],
    *,
    background: str | None = None,
    invert: bool | None = None,
) -> Floats:
    """Read a PNG, JPEG, BMP or WebP file of any size for a network that takes `image_shape`.

    The picture is turned upright as its camera noted, laid on white where it is transparent, made grey or
    coloured as the network needs it, and shrunk or enlarged to fit. Its proportions are kept: what is missing
    is filled with the colour of its own border. On grey paper, as photographs show it, levels are stretched until
    the ground is as plain as that of the network's images.

    Args:
        path: The file; a link to one is followed.
        image_shape: `(height, width, channels)`, 1 or 3 channels.
        background: What the network's images lie on, `"dark"` or `"light"` (`DataModule.background`); None if
            it is unknown or mixed.
        invert: Whether to turn dark into light and light into dark; None to do so where the picture's border is
            light and `background` dark, or the other way round. With no `background`, None means no.

    Returns:
        `image_shape`, float32 in [-1, 1].

    Raises:
        DataError: No such file, not such an image, damaged, over 64 megapixels, or more than 8 bits a channel;
            or `image_shape` or `background` is none.

    Example:
        >>> image = kg.data.read_picture("seven.jpg", data.image_shape, background=data.background)
    """
    if len(image_shape) != 3 or min(image_shape) < 1 or image_shape[2] not in (1, 3):
        raise DataError(f"image_shape is {image_shape}; give (height, width, channels) with 1 or 3 channels.")
    if background not in ("dark", "light", None):
        raise DataError(f"background is {background!r}; choose 'dark', 'light' or None.")
    channels = image_shape[2]
    # Whoever names one file means what it leads to; inside a data set links are refused (see files.py).
    file = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    picture = _decode(file, "L" if channels == 1 else "RGB")
    (ground,) = border_colours(np.asarray(picture).reshape(1, picture.height, picture.width, channels))
    fitted = _fit(picture, image_shape, ground)
    shade = float(ground.mean())
    if invert is None:
        invert = background is not None and background != _nearer(shade)
    if invert:
        fitted, shade = 255 - fitted, 255 - shade
    return normalize(_cleaned(fitted, shade) if background == _nearer(shade) else fitted)


def _nearer(shade: float) -> str:
    return "light" if shade > _MIDDLE_GREY else "dark"


def _decode(path: Path, mode: str) -> "Image.Image":
    from PIL import Image, ImageOps

    check_header(path)
    with open_picture(path) as image:
        # Telephones store what the sensor saw, and a note which way they were held.
        upright = ImageOps.exif_transpose(image)
        if may_be_transparent(upright):
            upright = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
        return upright.convert(mode)


def _fit(picture: "Image.Image", image_shape: tuple[int, int, int], ground: Floats) -> Pixels:
    from PIL import Image

    height, width, channels = image_shape
    shrink = max(picture.width / width, picture.height / height)
    columns, rows = max(1, round(picture.width / shrink)), max(1, round(picture.height / shrink))
    # Resized first and padded then: the other way round a long thin picture would become a huge square one.
    resized = picture.resize((columns, rows), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    fitted = np.empty(image_shape, np.uint8)
    fitted[:] = np.rint(ground)
    top, left = (height - rows) // 2, (width - columns) // 2
    fitted[top : top + rows, left : left + columns] = np.asarray(resized).reshape(rows, columns, channels)
    return fitted


def _cleaned(pixels: Pixels, shade: float) -> Pixels:
    """Stretch the levels so that a ground of this shade becomes black or white, as it is in scans and drawings."""
    low, high = (0.0, shade) if _nearer(shade) == "light" else (shade, 255.0)
    cleaned: Pixels = np.rint(np.clip((pixels - low) * (255 / (high - low)), 0, 255)).astype(np.uint8)
    return cleaned
