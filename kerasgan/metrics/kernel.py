"""The kernel distance between two sets of features, which is without bias however few the images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.samples import Floats, as_pair


@dataclass(frozen=True)
class KernelDistance:
    """A kernel distance and its standard error.

    Attributes:
        mean: Over the blocks; 0 on average for two samples of one distribution, so it may be negative.
        standard_error: Of that mean.
        blocks: Number of blocks, which share no image.
        block_size: Images of either set in a block.
    """

    mean: float
    standard_error: float
    blocks: int
    block_size: int


def kernel_distance(
    real: npt.ArrayLike, fake: npt.ArrayLike, *, block_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """Return the squared maximum mean discrepancy of two sets of features under the kernel (x.y / width + 1)^3.

    Both sets are shuffled and cut into blocks that share no image, so the blocks are independent of each other, and
    the spread of their distances gives the standard error of the mean.

    Args:
        real: Features of dataset images, `(count, width)`.
        fake: Features of samples, `(other count, width)`.
        block_size: The most images of either set in a block; fewer where that would make fewer than two blocks.
        seed: Of the shuffling.

    Returns:
        The mean over the blocks, with its standard error.

    Raises:
        ValueError: A set has fewer than four images, or is not finite, the widths differ, or blocks are too small.

    Reference:
        Bińkowski et al., Demystifying MMD GANs (arXiv:1801.01401), sections 2.1 and 4.
    """
    one, other = as_pair(real=real, fake=fake)
    fewest = min(len(one), len(other))
    size = min(block_size, fewest // 2)
    if size < 2:
        raise ValueError(
            f"block_size is {block_size} and the smaller set has {fewest} images; take blocks of at least 2, and at "
            "least 4 images."
        )
    blocks = fewest // size
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(len(features))[: blocks * size].reshape(blocks, size)  # (blocks, size)
        for features in (one, other)
    ]
    found = np.array([_discrepancy(one[a], other[b]) for a, b in zip(*chosen, strict=True)])
    return KernelDistance(float(found.mean()), float(found.std(ddof=1) / np.sqrt(blocks)), blocks, size)


def _discrepancy(one: Floats, other: Floats) -> float:
    """Return the unbiased estimate: no image is compared with itself."""
    pairs = len(one) * (len(one) - 1)
    kernels = [_kernel(part, part) for part in (one, other)]
    within = sum((kernel.sum() - np.trace(kernel)) / pairs for kernel in kernels)
    return float(within - 2 * _kernel(one, other).mean())


def _kernel(one: Floats, other: Floats) -> Floats:
    return np.asarray((one @ other.T / one.shape[1] + 1) ** 3)
