"""Image files to one array: every header is checked before any pixel is decoded."""

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasgan.data.arrays import Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import regular_file

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
MAX_PIXELS = 64_000_000
_GREY = ("1", "L")
_COLOUR = ("P", "RGB", "CMYK", "YCbCr")
_WITH_ALPHA = ("LA", "RGBA")
# What Pillow's decoders are known to raise on damaged files, besides OSError.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def read_pictures(paths: Sequence[Path]) -> Pixels:
    """Decode image files of one size.

    Args:
        paths: PNG, JPEG, BMP or WebP files, at least one.

    Returns:
        `(count, height, width, channels)`; 1 channel if all are grey, else 3.

    Raises:
        DataError: A file is not a regular file or not such an image, is damaged, has over 64 megapixels,
            another size than the first, transparent pixels, several frames, or more than 8 bits a channel.
    """
    sizes, colours = zip(*(check_header(path) for path in paths), strict=True)
    for path, size in zip(paths, sizes, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"{path}: is {size[0]}x{size[1]} pixels, but {paths[0].name} is {sizes[0][0]}x{sizes[0][1]}; "
                "resize all images to one size."
            )
    width, height = sizes[0]
    mode = "RGB" if any(colours) else "L"
    pixels = np.empty((len(paths), height, width, 3 if mode == "RGB" else 1), np.uint8)
    for slot, path in zip(pixels, paths, strict=True):
        slot[:] = _decode(path, mode).reshape(slot.shape)
    return pixels


def check_header(path: Path) -> tuple[tuple[int, int], bool]:
    """Check the header of an image file; no pixel is decoded.

    Args:
        path: Where the file should be.

    Returns:
        Width and height, and whether there is colour.

    Raises:
        DataError: Not a regular file, not a known image, too large, animated, or of more than 8 bits a channel.
    """
    regular_file(path)
    with open_picture(path) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise DataError(f"{path}: is {width}x{height} pixels, over 64 megapixels; make it smaller.")
        # Not of JPEG: cameras append a small copy, or a map of the lights, which is no second picture.
        if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
            raise DataError(f"{path}: is animated; save each frame that you want as a picture of its own.")
        if image.mode not in _GREY + _COLOUR + _WITH_ALPHA:
            raise DataError(f"{path}: has pixels of mode {image.mode}; save it as 8-bit grey or RGB.")
        # A palette may hold greys only; to know, one would have to decode, so it counts as colour.
        return image.size, image.mode not in (*_GREY, "LA")


def _decode(path: Path, mode: str) -> Pixels:
    with open_picture(path) as image:
        if may_be_transparent(image):
            image = image.convert("RGBA")
            if image.getchannel("A").getextrema()[0] != 255:
                raise DataError(f"{path}: has transparent pixels; flatten it onto a background first.")
        return np.asarray(image.convert(mode))


def may_be_transparent(image: "Image.Image") -> bool:
    """Tell whether an image has an alpha channel, or names a colour that is transparent."""
    return image.mode in _WITH_ALPHA or "transparency" in image.info


@contextmanager
def open_picture(path: Path) -> "Iterator[Image.Image]":
    """Open an image file, and turn whatever Pillow raises meanwhile into one line.

    Args:
        path: A regular file, which `check_header` found good.

    Yields:
        The image; its pixels are decoded when they are first asked for.

    Raises:
        DataError: Not a known image, damaged, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Notes that a camera left, damaged: Pillow says so and goes on without them, and the pixels are good.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # Named formats only: Pillow would otherwise try every decoder it has, whatever the file's name.
            with Image.open(path, formats=("PNG", "JPEG", "BMP", "WEBP")) as image:
                yield image
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: is over 64 megapixels ({error}); make it smaller.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is not a PNG, JPEG, BMP or WebP image, whatever its name; save it as one.") from error
    except _DAMAGED as error:
        raise DataError(f"{path}: cannot be decoded ({error}); copy or save it again.") from error
