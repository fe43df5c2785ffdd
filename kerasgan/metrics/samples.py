"""Two sets of features as the measures of samples take them: checked, in float64, and compared in blocks."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BLOCK_NUMBERS = 2**22  # Distances held at a time: 32 MiB.


def as_features(features: npt.ArrayLike, name: str) -> Floats:
    """Check features and bring them to float64.

    Args:
        features: `(count, width)`, any real numbers.
        name: What an error calls them.

    Raises:
        ValueError: They are not that, fewer than two, or not finite.
    """
    try:
        array = np.asarray(features, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is no array of numbers; give features (count, width).") from None
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(f"{name} has shape {array.shape}; give features (count, width) of at least two images.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; the images or the feature network are at fault.")
    return array


def as_pair(**sets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Check the features of two sets of images, given by the names an error shall have for them.

    Raises:
        ValueError: One of them will not do, or their widths differ.
    """
    one, other = (as_features(features, name) for name, features in sets.items())
    if one.shape[1] != other.shape[1]:
        first, second = sets
        raise ValueError(
            f"{first} is {one.shape[1]} features wide and {second} {other.shape[1]}; take both from one network."
        )
    return one, other


def distances(some: Floats, others: Floats) -> Iterator[tuple[slice, Floats]]:
    """Yield the Euclidean distances between two sets of points, block by block, so that memory stays bounded.

    Args:
        some: `(count, width)`.
        others: `(other count, width)`.

    Yields:
        Rows of `some`, and their distances `(rows, other count)`.
    """
    # Around a common centre: the products below would lose digits to a large mean.
    centre = others.mean(axis=0)
    some, others = some - centre, others - centre
    squares = (others**2).sum(axis=1)
    rows = max(1, _BLOCK_NUMBERS // len(others))
    for first in range(0, len(some), rows):
        block = some[first : first + rows]
        squared = (block**2).sum(axis=1)[:, np.newaxis] + squares - 2 * block @ others.T  # (rows, other count)
        yield slice(first, first + len(block)), np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)


def radii(points: Floats, neighbours: int) -> Floats:
    """Return how far the k-th nearest other point lies from each.

    Args:
        points: `(count, width)`.
        neighbours: The k, at least 1.

    Returns:
        `(count,)`.

    Raises:
        ValueError: There are not that many other points.
    """
    if not 1 <= neighbours < len(points):
        raise ValueError(
            f"neighbours is {neighbours} of {len(points):,} images; choose at least 1, and fewer than there are images."
        )
    found = np.empty(len(points))
    for rows, block in distances(points, points):
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = np.inf  # nobody is their own neighbour
        found[rows] = np.partition(block, neighbours - 1, axis=1)[:, neighbours - 1]
    return found
