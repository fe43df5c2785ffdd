"""A few quick measures of many sets of samples, all held against the same real images."""

import warnings
from dataclasses import dataclass

from kerasgan.metrics.features import Array, FeatureNetwork, as_pixels, as_set
from kerasgan.metrics.frechet import frechet_distance
from kerasgan.metrics.kernel import kernel_distance
from kerasgan.metrics.neighbours import precision_recall
from kerasgan.metrics.samples import Floats

QUICK_MEASURES = ("frechet_distance", "kernel_distance", "precision", "recall")


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Real images as a feature network sees them. `yardstick` makes it.

    Attributes:
        network: What the images are seen with.
        features: Of the real images, `(count, width)`.
    """

    network: FeatureNetwork
    features: Floats

    def measure(self, fakes: Array) -> dict[str, float]:
        """Hold samples against the real images.

        Args:
            fakes: `(count, height, width, channels)`: floats in [-1, 1], or uint8; at least 20.

        Returns:
            `frechet_distance`, `kernel_distance`, `precision` and `recall`, as `kerasgan.metrics` has them by these
            names. With no more images than features the first is mostly bias: it compares with itself only.

        Raises:
            ValueError: There are too few, or they are not finite or not of the shape that the network takes.
        """
        found = self.network.describe(as_pixels(as_set(fakes, "fakes")))[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of too few images: the docstring says so
            frechet = frechet_distance(self.features, found)
        precision, recall = precision_recall(self.features, found)
        values = (frechet, kernel_distance(self.features, found).mean, precision, recall)
        return dict(zip(QUICK_MEASURES, values, strict=True))


def yardstick(reals: Array, network: FeatureNetwork) -> Yardstick:
    """Look at real images once, to hold samples against them again and again.

    Args:
        reals: `(count, height, width, channels)`: floats in [-1, 1], or uint8; at least 20.
        network: What to see them with.

    Raises:
        ValueError: As in `Yardstick.measure`.

    Example:
        >>> stick = kg.metrics.yardstick(data.test.images[:1000], kg.metrics.feature_network("mnist"))
        >>> stick.measure(gan.generate(1000, seed=0))["frechet_distance"]
    """
    return Yardstick(network, network.describe(as_pixels(as_set(reals, "reals")))[0])
