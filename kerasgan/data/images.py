"""Images as arrays: checked, held as uint8, handed out as float32 in [-1, 1]."""

import math

import numpy as np
import numpy.typing as npt

from kerasgan.data.arrays import AnyArray, Floats, Pixels
from kerasgan.data.errors import DataError

_ROUNDING = 1e-3  # Resizing and float32 arithmetic overshoot a range by about this much at most.
_BLOCK = 1024  # Images converted at a time, so that a large float array is not copied whole.


def as_images(images: npt.ArrayLike, where: str) -> AnyArray:
    """Check the shape and kind of an array of images; values are left as they are.

    Args:
        images: `(count, height, width)`, `(count, height, width, 1)` or `(count, height, width, 3)`.
        where: The file or argument that an error names.

    Returns:
        The same data, `(count, height, width, channels)`.

    Raises:
        DataError: Not numbers, not that shape, or nothing inside.
    """
    array = np.asarray(images)
    if array.dtype.kind not in "buif":
        raise DataError(f"{where}: dtype {array.dtype} is not numbers; save the images as uint8.")
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4 or array.shape[-1] not in (1, 3):
        raise DataError(
            f"{where}: images have shape {np.shape(images)}; "
            "expected (count, height, width) or (count, height, width, channels) with 1 or 3 channels, last."
        )
    if array.size == 0:
        raise DataError(f"{where}: images have shape {np.shape(images)}, so there are none; every size must be >= 1.")
    return array


def as_uint8(images: AnyArray, where: str, *, also: AnyArray | None = None) -> Pixels:
    """Bring images to 0..255 in uint8.

    Integers must lie in 0..255 and mean that; booleans become 0 and 255. For floats the smallest and the
    largest value decide, here and in `also` together, so that a dark test split is not stretched: any
    negative value means [-1, 1]; otherwise nothing above 1 means [0, 1]; otherwise nothing above 255 means
    [0, 255]. Overshoot of a thousandth, as resizing leaves it, is clipped.

    Args:
        images: `(count, height, width, channels)`, integer, boolean or float.
        where: The file or argument that an error names.
        also: Another split of the same data, whose values count towards the range of floats.

    Returns:
        The same shape; the same array where it was uint8 already.

    Raises:
        DataError: A value is NaN, infinite or outside every range above.
    """
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    low, high = _extremes(images)
    if images.dtype.kind in "ui":
        if low < 0 or high > 255:
            raise DataError(f"{where}: {images.dtype} images span {low:g} to {high:g}; integers must lie in 0..255.")
        return images.astype(np.uint8)
    if also is not None and also.dtype.kind == "f":
        other_low, other_high = _extremes(also)
        # np.minimum and np.maximum, unlike min and max, let a NaN through to the check.
        low, high = float(np.minimum(low, other_low)), float(np.maximum(high, other_high))
    start, stop = _float_range(low, high, where)
    result = np.empty(images.shape, np.uint8)
    for first in range(0, len(images), _BLOCK):
        block = images[first : first + _BLOCK].astype(np.float32)
        result[first : first + _BLOCK] = np.clip(np.rint((block - start) * (255 / (stop - start))), 0, 255)
    return result


def normalize(images: Pixels) -> Floats:
    """Scale uint8 images to float32 in [-1, 1], the range of `tanh`: 0 becomes -1 and 255 becomes 1.

    Args:
        images: Any shape, uint8.

    Returns:
        The same shape, float32.
    """
    scaled = images.astype(np.float32)
    scaled /= 127.5
    scaled -= 1
    return scaled


def denormalize(images: npt.ArrayLike) -> Pixels:
    """Undo `normalize`, for showing or saving; values outside [-1, 1] are clipped.

    Args:
        images: Any shape, in [-1, 1].

    Returns:
        The same shape, uint8.
    """
    scaled = (np.asarray(images, np.float32) + 1) * 127.5
    pixels: Pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return pixels


def _extremes(images: AnyArray) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):  # A NaN is looked for and named below, not warned about here.
        return float(images.min()), float(images.max())


def _float_range(low: float, high: float, where: str) -> tuple[float, float]:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"{where}: images hold NaN or infinite values; replace them by finite ones.")
    if -1 - _ROUNDING <= low < -_ROUNDING and high <= 1 + _ROUNDING:
        return -1.0, 1.0
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return 0.0, 1.0
    if low >= -_ROUNDING and high <= 255 + _ROUNDING:
        return 0.0, 255.0
    raise DataError(f"{where}: float images span {low:g} to {high:g}; they must lie in [0, 1], [-1, 1] or [0, 255].")
