"""The Fréchet distance between two sets of features: how far mean and covariance lie apart."""

import warnings

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.samples import Floats, as_pair


def frechet_distance(real: npt.ArrayLike, fake: npt.ArrayLike) -> float:
    """Return the squared Wasserstein-2 distance between the normal distributions fitted to two sets of features.

    It is biased: of two samples of one distribution it is above 0, by about (1 / n + 1 / m) (d (d + 1) / 4 + d) for
    n and m images and d independent features of variance 1. So compare it only between equal numbers of images, and
    hold it against its value between real images. With no more images than features the covariances are singular
    and the bias is most of the value: that is warned of.

    Args:
        real: Features of dataset images, `(count, width)`.
        fake: Features of samples, `(other count, width)`.

    Returns:
        At least 0.

    Raises:
        ValueError: An argument is not that, or not finite, or the widths differ.

    Reference:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule (arXiv:1706.08500), eq. 6.
    """
    one, other = as_pair(real=real, fake=fake)
    fewest, width = min(len(one), len(other)), one.shape[1]
    if fewest <= width:
        warnings.warn(
            f"the Fréchet distance of {fewest:,} images in {width} features is mostly bias; take more images than "
            "features, ten times as many if you can.",
            stacklevel=2,
        )
    means, covariances = zip(*map(_moments, (one, other)), strict=True)
    trace = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * _trace_of_root(*covariances)
    return float(max(0.0, np.sum((means[0] - means[1]) ** 2) + trace))


def _moments(features: Floats) -> tuple[Floats, Floats]:
    mean = features.mean(axis=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def _trace_of_root(one: Floats, other: Floats) -> float:
    """Return the trace of the root of the product: the root of a symmetric form with the same eigenvalues."""
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # Rounding leaves values around 0 where a covariance is singular, and those below have no root.
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0.0)).sum())
