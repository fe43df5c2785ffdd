"""What pictures lie on: a dark or a light ground, told by the pixels of their borders."""

import numpy as np

from kerasgan.data.arrays import Floats, Pixels
from kerasgan.data.stored import StoredImages
from kerasgan.data.threads import in_threads

DARK_BELOW, LIGHT_ABOVE = 64, 191  # A quarter of the grey values at either end.
_AGREEING = 0.9  # Some pictures reach over their own border: a wide shirt, a digit written too large.
_LOOKED_AT = 4096  # Enough to tell 0.9 from 0.87, and a matter of milliseconds for any data set.


def border_colours(images: Pixels) -> Floats:
    """Give the colour that the border of each image has most plainly.

    Args:
        images: `(count, height, width, channels)`, uint8.

    Returns:
        The median of the outermost pixels, channel by channel, `(count, channels)`, float32 in 0..255.
    """
    sides = (images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1])
    border = np.concatenate(sides, axis=1)  # (count, border pixels, channels)
    return np.median(border, axis=1).astype(np.float32)


def background_of(images: Pixels | StoredImages) -> str | None:
    """Judge what the images of a data set lie on.

    Args:
        images: `(count, height, width, channels)`, uint8. Of many a sample is looked at, evenly spread: in a
            folder of images they come sorted by class.

    Returns:
        `"dark"` or `"light"` if at least nine in ten have such a border, else None. The border of a coloured
        image counts by the mean of its channels.
    """
    every = -(-len(images) // _LOOKED_AT)
    sample = images[::every]
    # Block by block, for a sample of large images may not fit into memory.
    blocks = in_threads(lambda block: border_colours(sample[block]).mean(axis=1), len(sample))
    shades = np.concatenate(blocks)
    if np.mean(shades < DARK_BELOW) >= _AGREEING:
        return "dark"
    if np.mean(shades > LIGHT_ABOVE) >= _AGREEING:
        return "light"
    return None
