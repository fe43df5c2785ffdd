"""Options that are numbers: the value, why it will not do, and what would."""

import operator

import numpy as np
import numpy.typing as npt

from kerasgan.data.errors import DataError

_VALIDATION_STREAM = 0x5EED  # Keeps the choice of the validation split apart from the order of any epoch.


def whole_number(value: int, option: str, *, least: int) -> int:
    """Check that an option is an integer and large enough.

    Args:
        value: What the user gave; NumPy integers are welcome, booleans are not.
        option: Its name, for the error.
        least: The smallest value allowed.

    Returns:
        The value as a plain int.

    Raises:
        DataError: It is something else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise DataError(f"{option} is {value!r}; choose an integer of at least {least}.")
    return number


def hold_out(count: int, val_size: int | float, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Choose which training examples are kept for validation.

    Args:
        count: Training examples there are.
        val_size: How many to keep: an integer, or a float below 1 for a fraction of `count`, rounded.
        seed: Fixes the choice.

    Returns:
        The positions to train on and those to validate on, each in ascending order.

    Raises:
        DataError: `val_size` is neither, or would leave nothing to train on.
    """
    if isinstance(val_size, float):
        if not 0 <= val_size < 1:
            raise DataError(
                f"val_size is {val_size}; a fraction must lie in 0..1 (below 1), a count must be an integer."
            )
        kept = round(count * val_size)
        if val_size > 0 and kept == 0:
            raise DataError(f"val_size is {val_size}, which is no image at all of {count:,}; choose a larger fraction.")
    else:
        kept = whole_number(val_size, "val_size", least=0)
    if kept >= count:
        raise DataError(f"val_size is {val_size} of {count:,} training images; choose fewer, so that some are left.")
    shuffled = np.random.default_rng([seed, 0, _VALIDATION_STREAM]).permutation(count)
    return np.sort(shuffled[kept:]), np.sort(shuffled[:kept])
