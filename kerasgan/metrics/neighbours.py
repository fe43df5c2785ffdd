"""Measures by nearest neighbours: are the samples real-looking, do they cover the data, and are they copies of it?"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.samples import Floats, Integers, as_pair, distances, radii


class PrecisionRecall(NamedTuple):
    """Share of samples that look real, and share of real images that look like samples, both in [0, 1]."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """How many real images each sample is near, 1 on average for real ones; share of real images that have one."""

    density: float
    coverage: float


def precision_recall(real: npt.ArrayLike, fake: npt.ArrayLike, *, neighbours: int = 3) -> PrecisionRecall:
    """Estimate how many samples lie within the data (precision), and how much of the data within the samples (recall).

    A set reaches as far as the ball around each of its points up to the k-th nearest of its other points. Both depend
    on the numbers of images, and a single outlier among the real images lets many samples pass.

    Args:
        real: Features of dataset images, `(count, width)`.
        fake: Features of samples, `(other count, width)`.
        neighbours: The k.

    Returns:
        Both shares, in [0, 1].

    Raises:
        ValueError: A set is not that, not finite, or has no more than `neighbours` images; or the widths differ.

    Reference:
        Kynkäänniemi et al., Improved Precision and Recall Metric (arXiv:1904.06991), eq. 1 to 3.
    """
    one, other = as_pair(real=real, fake=fake)
    return PrecisionRecall(_share_within(other, one, neighbours), _share_within(one, other, neighbours))


def density_coverage(real: npt.ArrayLike, fake: npt.ArrayLike, *, neighbours: int = 5) -> DensityCoverage:
    """Tell how dense the data are where the samples lie, and how many real images have a sample near them.

    Only the real images have balls around them, so outliers among the samples do no harm, and the density weighs
    what an outlier among the real images lets pass.

    Args:
        real: Features of dataset images, `(count, width)`.
        fake: Features of samples, `(other count, width)`.
        neighbours: The k, how far the balls reach.

    Returns:
        The density, at least 0, and the coverage, in [0, 1].

    Raises:
        ValueError: As for `precision_recall`.

    Reference:
        Naeem et al., Reliable Fidelity and Diversity Metrics (arXiv:2002.09797), eq. 4 and 6.
    """
    one, other = as_pair(real=real, fake=fake)
    reach = radii(one, neighbours)
    balls, covered = 0, np.zeros(len(one), bool)
    for _, block in distances(other, one):
        within = block <= reach  # (rows, count)
        balls += int(within.sum())
        covered |= within.any(axis=0)
    return DensityCoverage(balls / (neighbours * len(other)), float(covered.mean()))


@dataclass(frozen=True, eq=False)
class NearestNeighbours:
    """How near samples are to training images, beside how near unseen real images are. `nearest_neighbours` makes it.

    Attributes:
        positions: Of the nearest training image of each sample, `(samples,)`.
        distances: To that image, `(samples,)`.
        held_out_distances: From unseen real images to their nearest training images, `(held out,)`.
        closer: Chance that a sample is nearer than an unseen real image, in [0, 1]: 0.5 where the two are alike,
            1 where all samples are copies.
        suspicious: Share of samples that are nearer than all but the nearest hundredth of unseen real images: 0.01
            where the two are alike.
    """

    positions: Integers
    distances: Floats
    held_out_distances: Floats
    closer: float
    suspicious: float

    @property
    def median(self) -> float:
        """Median distance of the samples."""
        return float(np.median(self.distances))

    @property
    def held_out_median(self) -> float:
        """Median distance of the unseen real images."""
        return float(np.median(self.held_out_distances))


def nearest_neighbours(fake: npt.ArrayLike, train: npt.ArrayLike, held_out: npt.ArrayLike) -> NearestNeighbours:
    """Tell whether a generator has memorised: are its samples nearer to training images than fresh real images are?

    Args:
        fake: Features of samples, `(count, width)`.
        train: Features of the images that were trained on, `(train count, width)`.
        held_out: Features of real images that were not, `(held-out count, width)`.

    Returns:
        Where the nearest training images are, how far, and the two measures of copying.

    Raises:
        ValueError: A set is not that, or not finite, or the widths differ.

    Reference:
        `closer` is the Mann-Whitney statistic of Meehan et al., A Non-Parametric Test to Detect Data-Copying in
        Generative Models (arXiv:2004.05675), section 3, as a share and without its cells.
    """
    trained, samples = as_pair(train=train, fake=fake)
    _, unseen = as_pair(train=train, held_out=held_out)
    (positions, near), (_, unseen_near) = (_nearest(points, trained) for points in (samples, unseen))
    ranked = np.sort(unseen_near)
    # A tie counts half.
    farther = len(ranked) - np.searchsorted(ranked, near, "right") + _ties(ranked, near) / 2
    suspicious = near < np.quantile(ranked, 0.01, method="lower")
    return NearestNeighbours(
        positions, near, unseen_near, float(farther.mean() / len(ranked)), float(suspicious.mean())
    )


def _ties(ranked: Floats, values: Floats) -> Integers:
    return np.asarray(np.searchsorted(ranked, values, "right") - np.searchsorted(ranked, values, "left"), np.int64)


def _nearest(points: Floats, others: Floats) -> tuple[Integers, Floats]:
    positions, near = np.empty(len(points), np.int64), np.empty(len(points))
    for rows, block in distances(points, others):
        positions[rows] = block.argmin(axis=1)
        near[rows] = block.min(axis=1)
    return positions, near


def _share_within(points: Floats, others: Floats, neighbours: int) -> float:
    """Return the share of points that lie in a ball around one of the others."""
    reach = radii(others, neighbours)
    inside = [(block <= reach).any(axis=1) for _, block in distances(points, others)]
    return float(np.concatenate(inside).mean())
