"""All measures of a set of samples at once, each beside its value for real images."""

import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kerasgan.metrics.features import Array, FeatureNetwork, as_pixels, as_set, feature_network
from kerasgan.metrics.frechet import frechet_distance
from kerasgan.metrics.kernel import KernelDistance, kernel_distance
from kerasgan.metrics.neighbours import NearestNeighbours, density_coverage, nearest_neighbours, precision_recall
from kerasgan.metrics.samples import Floats
from kerasgan.metrics.scores import classifier_score, conditional_accuracy
from kerasgan.metrics.tables import table


@dataclass(frozen=True)
class Measures:
    """The measures of one set of images against another; None where something needed was not given.

    Attributes:
        frechet_distance: See `kerasgan.metrics.frechet_distance`; smaller is better, and so it is for the next.
        kernel_distance: See `kerasgan.metrics.kernel_distance`.
        precision: Share of the images that look like the others, in [0, 1].
        recall: Share of the others that look like the images, in [0, 1].
        density: As precision, but weighing how many of the others each image is near; 1 on average for real ones.
        coverage: Share of the others that have one of the images near them, in [0, 1].
        classifier_score: From 1 to the number of classes.
        conditional_accuracy: Share taken for what was asked for, or of real images for what they are, in [0, 1].
        closer: Chance that an image is nearer to the training images than an unseen real one, in [0, 1].
        suspicious: Share that is nearer to them than all but the nearest hundredth of unseen real ones, in [0, 1].
    """

    frechet_distance: float
    kernel_distance: KernelDistance
    precision: float
    recall: float
    density: float
    coverage: float
    classifier_score: float | None
    conditional_accuracy: float | None
    closer: float | None
    suspicious: float | None


@dataclass(frozen=True)
class Quality:
    """How good samples are. `evaluate` makes it.

    Attributes:
        fakes: Number of samples.
        reals: Number of real images they are held against.
        halves: Number of real images on either side of `real`.
        trained: Number of training images that nearest ones were looked for among; None if there were none.
        network: Name of the feature network.
        digest: SHA-256 of its weights, 64 hexadecimal digits.
        width: Number of features.
        samples: Of the samples against the real images.
        real: Of one half of the real images against the other. Fréchet distances of so few are larger, see `notes`.
        nearest: Which training image is the nearest to each sample; None if there were none. Not part of any report.
    """

    fakes: int
    reals: int
    halves: int
    trained: int | None
    network: str
    digest: str
    width: int
    samples: Measures
    real: Measures
    nearest: NearestNeighbours | None = field(default=None, repr=False, compare=False)

    @property
    def notes(self) -> list[str]:
        """What to keep in mind with these numbers of images."""
        fewest = min(self.fakes, self.reals)
        few = [
            f"{name} has {count:,} images for {self.width:,} features: mostly bias in Fréchet."
            for name, count in (("samples", fewest), ("real", self.halves))
            if count <= self.width
        ]
        if fewest == self.halves:
            return few
        which = "real" if self.halves < fewest else "samples"
        return [*few, f"the Fréchet distance of fewer images is larger, and {which} has fewer."]

    def as_dict(self) -> dict[str, Any]:
        """Return all figures by name, for a JSON file."""
        figures = asdict(replace(self, nearest=None))
        del figures["nearest"]
        return figures

    def as_table(self) -> str:
        """Return a table for a terminal 80 columns wide, and above it what the figures were measured with."""
        pairs = [(getattr(self.samples, name), getattr(self.real, name)) for name in _ROWS]
        rows = [
            [title, _written(ours), _written(theirs), better]
            for (title, better), (ours, theirs) in zip(_ROWS.values(), pairs, strict=True)
            if ours is not None
        ]
        lines = [
            f"samples: {self.fakes:,} against {self.reals:,} real images",
            f"real:    {self.halves:,} real images against {self.halves:,} others",
            *([] if self.trained is None else [f"nearest: among {self.trained:,} training images"]),
            f"{self.width} features of {self.network[:40]}, SHA-256 {self.digest[:12]}",
            "",
            table(["measure", "samples", "real", "better"], rows),
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


_ROWS = {
    "frechet_distance": ("Fréchet distance", "low"),
    "kernel_distance": ("kernel distance x 1000", "low"),
    "precision": ("precision", "high"),
    "recall": ("recall", "high"),
    "density": ("density", "near 1"),
    "coverage": ("coverage", "high"),
    "classifier_score": ("classifier score", "high"),
    "conditional_accuracy": ("shows its label", "high"),
    "closer": ("nearer than unseen real", "near 0.5"),
    "suspicious": ("suspiciously near", "near 0.01"),
}


def evaluate(
    fakes: Array,
    reals: Array,
    network: FeatureNetwork | keras.Model | str,
    *,
    labels: npt.ArrayLike | None = None,
    real_labels: npt.ArrayLike | None = None,
    train: Array | None = None,
    seed: int = 0,
) -> Quality:
    """Compute all measures of samples.

    Args:
        fakes: Samples, `(count, height, width, channels)`: floats in [-1, 1], or uint8 in 0..255. They are rounded
            to 8 bits, as the real images are.
        reals: Dataset images that were not trained on, such as those of a test split, likewise.
        network: What to see them with; a name or a model stands for `feature_network` of it.
        labels: What the samples shall show, `(count,)`, or one-hot; None if nothing was asked for.
        real_labels: What the real images show, likewise.
        train: The images that were trained on, to look for copies of them; None to leave that out.
        seed: Of the halves of the real images, and of the blocks of the kernel distance.

    Returns:
        The figures, with those of one half of the real images against the other.

    Raises:
        ValueError: There are too few images, or they are not finite or not of the shape that the network takes; or
            there are not as many labels.

    Warns:
        UserWarning: A set lies in [0, 1].

    Example:
        >>> quality = kg.metrics.evaluate(gan.generate(10_000, seed=0), data.test.images, "mnist")
        >>> print(quality.as_table())
    """
    fakes, reals = as_set(fakes, "fakes"), as_set(reals, "reals")
    train = None if train is None else as_set(train, "train")
    for name, given, images in (("labels", labels, fakes), ("real_labels", real_labels, reals)):
        if given is not None and len(np.asarray(given)) != len(images):
            raise ValueError(f"{name} has {len(np.asarray(given))} labels of {len(images)} images; give one for each.")
    if not isinstance(network, FeatureNetwork):
        network = feature_network(network)
    fake, fake_classes = network.describe(as_pixels(fakes))
    real, real_classes = network.describe(as_pixels(reals))
    trained = None if train is None else network.describe(as_pixels(train))[0]
    order = np.random.default_rng(seed).permutation(len(real))
    half = len(real) // 2
    one, other = order[:half], order[half : 2 * half]

    nearest = real_nearest = None
    if trained is not None:
        nearest = nearest_neighbours(fake, trained, real)
        real_nearest = nearest_neighbours(real[one], trained, real[other])
    return Quality(
        fakes=len(fake),
        reals=len(real),
        halves=half,
        trained=None if trained is None else len(trained),
        network=network.name,
        digest=network.digest,
        width=real.shape[1],
        samples=_compared(real, fake, fake_classes, labels, nearest, seed),
        real=_compared(
            real[other],
            real[one],
            None if real_classes is None else real_classes[one],
            None if real_labels is None else np.asarray(real_labels)[one],
            real_nearest,
            seed,
        ),
        nearest=nearest,
    )


def _compared(
    real: Floats,
    fake: Floats,
    classes: Floats | None,
    labels: npt.ArrayLike | None,
    nearest: NearestNeighbours | None,
    seed: int,
) -> Measures:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of too few images: the notes of Quality say so
        frechet = frechet_distance(real, fake)
    precision, recall = precision_recall(real, fake)
    density, coverage = density_coverage(real, fake)
    return Measures(
        frechet_distance=frechet,
        kernel_distance=kernel_distance(real, fake, seed=seed),
        precision=precision,
        recall=recall,
        density=density,
        coverage=coverage,
        classifier_score=None if classes is None else classifier_score(classes),
        conditional_accuracy=None if labels is None or classes is None else conditional_accuracy(labels, classes),
        closer=None if nearest is None else nearest.closer,
        suspicious=None if nearest is None else nearest.suspicious,
    )


def _written(value: float | KernelDistance | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, KernelDistance):
        return f"{1000 * value.mean:.3f} +- {1000 * value.standard_error:.3f}"
    return f"{value:.4f}"
