"""Image files to one array: every header is checked before any pixel is decoded."""

import re
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
from kerasgan.data.files import refuse_more_than_memory, regular_file
from kerasgan.data.threads import in_threads

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
MAX_PIXELS = 64_000_000
_GREY = ("1", "L")
_COLOUR = ("P", "RGB", "CMYK", "YCbCr")
_WITH_ALPHA = ("LA", "RGBA")
# What Pillow's decoders are known to raise on damaged files, besides OSError.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
# As `warnings.filters` holds what `quieten_pillow` puts there.
_DAMAGED_METADATA = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)


def read_pictures(paths: Sequence[Path]) -> Pixels:
    """Decode image files of one size.

    Args:
        paths: PNG, JPEG, BMP or WebP files, at least one.

    Returns:
        `(count, height, width, channels)`; 1 channel if all are grey, else 3.

    Raises:
        DataError: A header that `check_headers` refuses, a file that `decode` refuses, or more pixels than this
            machine has memory.
    """
    shape = check_headers(paths)
    refuse_more_than_memory(paths[0].parent, (len(paths), *shape))
    pixels = np.empty((len(paths), *shape), np.uint8)
    with _pillow_is_quiet():
        for slot, path in zip(pixels, paths, strict=True):
            slot[:] = decode(path, shape)
    return pixels


def check_headers(paths: Sequence[Path]) -> tuple[int, int, int]:
    """Check the headers of image files; no pixel is decoded.

    Args:
        paths: Where the files should be, at least one.

    Returns:
        The shape they have in common, `(height, width, channels)`; 1 channel if all are grey, else 3.

    Raises:
        DataError: A file that `check_header` refuses, or of another size than the first.
    """
    with _pillow_is_quiet():
        blocks = in_threads(lambda block: [_header(paths[number]) for number in block], len(paths))
    sizes, colours = zip(*(header for block in blocks for header in block), strict=True)
    for path, size in zip(paths, sizes, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"{path}: is {size[0]}x{size[1]} pixels, but {paths[0].name} is {sizes[0][0]}x{sizes[0][1]}; "
                "resize all images to one size."
            )
    width, height = sizes[0]
    return height, width, 3 if any(colours) else 1


def check_header(path: Path) -> tuple[tuple[int, int], bool]:
    """Check the header of an image file; no pixel is decoded.

    Args:
        path: Where the file should be.

    Returns:
        Width and height, and whether there is colour.

    Raises:
        DataError: Not a regular file, not a known image, too large, animated, or of more than 8 bits a channel.
    """
    with _pillow_is_quiet():
        return _header(path)


def decode(path: Path, shape: tuple[int, int, int]) -> Pixels:
    """Decode a file whose header was found good; it is looked at again, for that may be hours ago.

    Several threads may do so at once; see `quieten_pillow`.

    Args:
        path: Where the file was.
        shape: What `check_headers` returned.

    Returns:
        The pixels, of that shape.

    Raises:
        DataError: As of `check_header`; or damaged, with transparent pixels, or no longer of that shape.
    """
    height, width, channels = shape
    regular_file(path)
    with _opened(path) as image:
        size, has_colour = _checked(path, image)
        if size != (width, height) or (has_colour and channels == 1):
            found = f"{size[0]}x{size[1]} pixels" + (" and has colour" if has_colour else "")
            was = f"{width}x{height}" + (" and grey" if channels == 1 else "")
            raise DataError(f"{path}: is {found}, but was {was} when the data were loaded; load them again.")
        if may_be_transparent(image):
            image = image.convert("RGBA")
            if image.getchannel("A").getextrema()[0] != 255:
                raise DataError(f"{path}: has transparent pixels; flatten it onto a background first.")
        return np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(shape)


def _header(path: Path) -> tuple[tuple[int, int], bool]:
    regular_file(path)
    with _opened(path) as image:
        return _checked(path, image)


def _checked(path: Path, image: "Image.Image") -> tuple[tuple[int, int], bool]:
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
    with _pillow_is_quiet(), _opened(path) as image:
        yield image


def quieten_pillow() -> None:
    """Ignore Pillow's notes on damaged metadata from now on, in a way that threads may do while others work.

    `warnings.catch_warnings` puts back what it found, which may be what another thread had changed meanwhile.
    """
    # Tested for first, as inserting makes Python forget which warnings it has shown.
    if _DAMAGED_METADATA not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_DAMAGED_METADATA[3].pattern)


@contextmanager
def _pillow_is_quiet() -> Iterator[None]:
    from PIL import Image

    with warnings.catch_warnings():
        # Notes that a camera left, damaged: Pillow says so and goes on without them, and the pixels are good.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(path: Path) -> "Iterator[Image.Image]":
    from PIL import Image, UnidentifiedImageError

    try:
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
