"""How many of a known number of modes samples reach, and how evenly: the measure of Stacked MNIST."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.features import Array, FeatureNetwork
from kerasgan.metrics.samples import Floats, Integers
from kerasgan.metrics.tables import table

STACKED_MODES = 1000
STACKED_SAMPLES = 26_000  # As published since VEEGAN (arXiv:1705.07761).
_NOISE = 5.0  # Standard deviations that chance is allowed: once in millions of evaluations.


@dataclass(frozen=True)
class ModeCoverage:
    """How samples spread over modes. `mode_coverage` makes it.

    Attributes:
        count: Number of samples.
        modes: Modes that at least one sample reaches.
        total: Modes there are.
        divergence: Kullback-Leibler divergence of the samples' modes from the data's, in nats.
        floor: What that is on average for as many independent draws from the data themselves.
        noise: Standard deviation of that, in nats.
        uniform_divergence: Divergence from all modes alike, as some publications have it.
        uniform_floor: What that is on average for draws from the data.
    """

    count: int
    modes: int
    total: int
    divergence: float
    floor: float
    noise: float
    uniform_divergence: float
    uniform_floor: float

    def as_dict(self) -> dict[str, Any]:
        """Return all figures by name, for a JSON file."""
        return asdict(self)

    def as_table(self) -> str:
        """Return the figures for a terminal 80 columns wide."""
        rows = [
            ["modes reached", f"{self.modes:,}", f"of {self.total:,}"],
            ["KL to the data (nats)", f"{self.divergence:.4f}", f"floor {self.floor:.4f} +- {self.noise:.4f}"],
            ["KL to uniform (nats)", f"{self.uniform_divergence:.4f}", f"floor {self.uniform_floor:.4f}"],
        ]
        return table([f"{self.count:,} samples", "value", "for comparison"], rows)


def stacked_modes(images: Array, network: FeatureNetwork) -> Integers:
    """Read the three digits of stacked images: each channel is classified by itself, however unsure that is.

    Args:
        images: `(count, height, width, 3)`: floats in [-1, 1], or uint8.
        network: That of MNIST.

    Returns:
        100 times the first digit, plus 10 times the second, plus the third, `(count,)`, in 0..999.

    Raises:
        ValueError: The images have not three channels, or the network does not classify.
    """
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"images have shape {images.shape}; stacked ones are (count, height, width, 3).")
    digits = []
    for channel in range(3):
        probabilities = network.describe(images[..., channel, np.newaxis])[1]
        if probabilities is None or probabilities.shape[1] != 10:
            raise ValueError(f"the feature network {network.name} does not tell ten digits apart; give that of mnist.")
        digits.append(probabilities.argmax(axis=1))
    return np.asarray(digits[0] * 100 + digits[1] * 10 + digits[2], np.int64)


def mode_coverage(modes: npt.ArrayLike, data_modes: npt.ArrayLike, total: int = STACKED_MODES) -> ModeCoverage:
    """Count the modes that samples reach, and tell how far their shares lie from those of the data.

    Args:
        modes: Of the samples, `(count,)`, integers from 0.
        data_modes: Of the images that were trained on, `(data count,)`; each of the modes must be among them.
        total: Number of modes.

    Returns:
        Modes reached and divergences, each with what fair draws would have.

    Raises:
        ValueError: Modes are out of range, or the data lack one; or the divergence lies further under its floor than
            chance can put it, so that the samples are no independent draws and the figure means nothing.

    Reference:
        Metz et al., Unrolled GANs (arXiv:1611.02163), section 3.3; for the floor, Miller, Note on the bias of
        information estimates (1955), here without its approximation.
    """
    counts, data_counts = (_counted(*named, total) for named in ((modes, "modes"), (data_modes, "data_modes")))
    if not data_counts.all():
        missing = int((data_counts == 0).sum())
        raise ValueError(f"data_modes lacks {missing} of {total:,} modes, so no divergence from them is finite.")
    count, shares = int(counts.sum()), data_counts / data_counts.sum()
    coverage = ModeCoverage(
        count=count,
        modes=int((counts > 0).sum()),
        total=total,
        divergence=_divergence(counts / count, shares),
        floor=divergence_floor(shares, count),
        noise=_noise(shares, count),
        uniform_divergence=_divergence(counts / count, np.full(total, 1 / total)),
        uniform_floor=divergence_floor(shares, count) + _divergence(shares, np.full(total, 1 / total)),
    )
    if coverage.divergence < coverage.floor - _NOISE * coverage.noise:
        raise ValueError(
            f"the divergence of {coverage.divergence:.4f} nats lies under its floor of {coverage.floor:.4f} for "
            f"{count:,} independent samples; draw the latents at random, and no image twice from the data."
        )
    return coverage


def divergence_floor(shares: npt.ArrayLike, count: int) -> float:
    """Return the mean Kullback-Leibler divergence from known shares of as many independent draws from them.

    Args:
        shares: Of every mode, positive, sum to one.
        count: Number of draws.

    Returns:
        In nats: nearly (modes - 1) / (2 count) where every mode is expected several times.
    """
    each = np.asarray(shares, np.float64)[:, np.newaxis]
    # With X of n draws in a mode of share p: E[X log(X / n p)] = n p E[log((1 + Y) / n p)], Y being binomial of n - 1.
    spread = 12 * np.sqrt(count * each.max()) + 40  # beyond lies less than rounding
    low, high = max(0, int(count * each.min() - spread)), min(count - 1, int(count * each.max() + spread))
    draws = np.arange(low, high + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])  # logarithms of 0!, 1!, ...
    ways = factorials[count - 1] - factorials[draws] - factorials[count - 1 - draws]
    chances = np.exp(ways + draws * np.log(each) + (count - 1 - draws) * np.log1p(-each))  # (modes, draws)
    return float((each * chances * (np.log1p(draws) - np.log(count * each))).sum())


def _noise(shares: Floats, count: int) -> float:
    """Return the standard deviation of the divergence of draws from the data, by trying.

    The chi-squared limit, sqrt(2 (modes - 1)) / (2 count), is too large by a factor of seven for 100 draws.
    """
    draws = np.random.default_rng(0).multinomial(count, shares, size=500) / count  # (500, modes)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(draws > 0, draws * np.log(draws / shares), 0.0)
    return float(terms.sum(axis=1).std())


def _divergence(shares: Floats, expected: Floats) -> float:
    reached = shares > 0
    return float((shares[reached] * np.log(shares[reached] / expected[reached])).sum())


def _counted(modes: npt.ArrayLike, name: str, total: int) -> Integers:
    array = np.asarray(modes)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "ui":
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}; give integers (count,).")
    if array.min() < 0 or array.max() >= total:
        raise ValueError(f"{name} span {array.min()} to {array.max()}; of {total:,} modes give 0..{total - 1}.")
    return np.bincount(array, minlength=total)
