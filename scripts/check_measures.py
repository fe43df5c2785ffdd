"""Spoil real images in known ways, and see which measures of quality notice.

    KERAS_BACKEND=jax python scripts/check_measures.py --dataset mnist
    KERAS_BACKEND=jax python scripts/check_measures.py --dataset fashion_mnist --only blur,copies

Half of the test images play the samples and are held against the other half, first as they are, then spoilt. A measure
is worth trusting if it moves where it should and stays where nothing changed. Prints a table in Markdown;
docs/quality.md has what was found.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import options
import program
import values


class Images(NamedTuple):
    """Images `(count, height, width, channels)`, uint8, and what they show, `(count,)`."""

    images: Any
    labels: Any


Spoil = Callable[[Images, Images, np.random.Generator], Images]  # of samples, training images and chance


def noise(deviation: float) -> Spoil:
    """Add normal noise, of a standard deviation in grey levels."""

    def spoil(samples: Images, train: Images, rng: np.random.Generator) -> Images:
        noisy = samples.images + rng.normal(0, deviation, samples.images.shape)
        return samples._replace(images=np.clip(np.rint(noisy), 0, 255).astype(np.uint8))

    return spoil


def blur(deviation: float) -> Spoil:
    """Blur with a Gaussian, of a standard deviation in pixels."""

    def spoil(samples: Images, train: Images, rng: np.random.Generator) -> Images:
        images = samples.images.astype(np.float32)
        reach = np.arange(-int(3 * deviation) - 1, int(3 * deviation) + 2)
        weights = np.exp(-(reach**2) / (2 * deviation**2))
        for axis in (1, 2):
            shifted = (weight * np.roll(images, by, axis) for weight, by in zip(weights, reach, strict=True))
            images = sum(shifted) / weights.sum()
        return samples._replace(images=np.rint(images).astype(np.uint8))

    return spoil


def only_classes(count: int) -> Spoil:
    """Show the first classes alone, as many samples as before."""

    def spoil(samples: Images, train: Images, rng: np.random.Generator) -> Images:
        kept = np.flatnonzero(samples.labels < count)
        chosen = rng.choice(kept, len(samples.labels))
        return Images(samples.images[chosen], samples.labels[chosen])

    return spoil


def repeats(share: float) -> Spoil:
    """Show a share of the samples again and again."""

    def spoil(samples: Images, train: Images, rng: np.random.Generator) -> Images:
        chosen = rng.integers(0, max(1, round(share * len(samples.labels))), len(samples.labels))
        return Images(samples.images[chosen], samples.labels[chosen])

    return spoil


def copies(share: float) -> Spoil:
    """Put training images in the place of a share of the samples."""

    def spoil(samples: Images, train: Images, rng: np.random.Generator) -> Images:
        count = round(share * len(samples.labels))
        chosen = rng.choice(len(train.labels), count, replace=count > len(train.labels))
        pairs = zip((train.images[chosen], train.labels[chosen]), samples, strict=True)
        return Images(*(np.concatenate([copied, kept[count:]]) for copied, kept in pairs))

    return spoil


def wrong_labels(share: float) -> Spoil:
    """Ask a share of the samples for another class than they show."""

    def spoil(samples: Images, train: Images, rng: np.random.Generator) -> Images:
        classes = samples.labels.max() + 1
        off = np.where(rng.random(len(samples.labels)) < share, rng.integers(1, classes, len(samples.labels)), 0)
        return samples._replace(labels=(samples.labels + off) % classes)

    return spoil


SPOILS: dict[str, tuple[str, Spoil]] = {
    "none": ("as they are", lambda samples, train, rng: samples),
    "noise": ("noise of 10 grey levels", noise(10)),
    "more_noise": ("noise of 40", noise(40)),
    "blur": ("blur of 0.7 pixels", blur(0.7)),
    "more_blur": ("blur of 1.5", blur(1.5)),
    "nine_classes": ("without one class", only_classes(9)),
    "five_classes": ("without five", only_classes(5)),
    "one_class": ("one class alone", only_classes(1)),
    "repeats": ("one in 20, repeated", repeats(0.05)),
    "half_copies": ("half are copies", copies(0.5)),
    "copies": ("all are copies", copies(1.0)),
    "wrong_labels": ("a fifth mislabelled", wrong_labels(0.2)),
}

COLUMNS = {
    "frechet_distance": ("FD", 2),
    "kernel_distance": ("KD", 1),
    "precision": ("prec.", 2),
    "recall": ("rec.", 2),
    "density": ("dens.", 2),
    "coverage": ("cov.", 2),
    "classifier_score": ("score", 2),
    "conditional_accuracy": ("label", 2),
    "closer": ("near", 2),
    "suspicious": ("copy", 2),
}


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    data = kg.data.load(args.dataset, data_dir=args.data_dir, drop_remainder=False)
    if data.test is None or data.num_classes is None:
        raise ValueError(f"{data.name} has no test images with labels, which are to be spoilt; name data that have.")
    network = kg.metrics.feature_network_of(data.name, data.image_shape)
    train = Images(data.train.images, data.train.labels)
    rows = []
    for name in args.only:
        # The halves and the chance are the same for every row.
        rng = np.random.default_rng(args.seed)
        one, other = np.array_split(rng.permutation(len(data.test.images)), 2)
        title, spoil = SPOILS[name]
        samples = spoil(Images(data.test.images[one], data.test.labels[one]), train, rng)
        reals = data.test.images[other]
        quality = kg.metrics.evaluate(samples.images, reals, network, labels=samples.labels, train=train.images)
        rows.append([title, *cells(quality.samples)])
    print(f"{len(one):,} test images of {data.name} against {len(other):,} others; KD is times 1000;")
    print(f"features of {network.name}, SHA-256 {network.digest[:12]}\n")
    print(kg.metrics.tables.table(["samples", *(heading for heading, _ in COLUMNS.values())], rows))


def cells(measures: Any) -> list[str]:
    """Return the figures of a row."""
    found = {name: getattr(measures, name) for name in COLUMNS}
    found["kernel_distance"] = 1000 * found["kernel_distance"].mean
    return [f"{found[name]:.{digits}f}" for name, (_, digits) in COLUMNS.items()]


def ways(text: str) -> list[str]:
    """Read names of `SPOILS` with commas between them."""
    names = text.split(",")
    for name in names:
        if name not in SPOILS:
            raise argparse.ArgumentTypeError(f"{name!r} is unknown; choose from {', '.join(SPOILS)}")
    return names


if __name__ == "__main__":
    parser = program.Parser(description="Spoil real images in known ways, and see which measures of quality notice.")
    options.add_data_options(parser)
    add = parser.add_argument
    add("--only", type=ways, default=list(SPOILS), metavar="NAMES", help=f"some of {', '.join(SPOILS)}, with commas "
        "between them (default: all)")  # fmt: skip
    add("--seed", type=values.seed, default=0, help="of halves and chance (default: %(default)s)")
    add("--debug", action="store_true", help="show where an error came from")
    program.run(main, parser)
