"""What a search of hyperparameters may choose from, and the classifiers that its choices stand for.

A choice is a plain dictionary of settings, as `convnet(trial, ...)` and `dense(trial, ...)` draw it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from kerasgan import layers, networks
from kerasgan.data import DataModule
from kerasgan.modules import Classifier

if TYPE_CHECKING:
    import optuna

Settings = dict[str, Any]
ImageShape = tuple[int, int, int]

MULTIPLY_ADDS = 12_000_000  # An image, in all convolutions: what a few processor cores can try many times over.
WIDEST = 128  # Blocks double their width up to this.
WIDTHS = (16, 32, 48, 64)
BATCHES = (64, 128, 256)
ACTIVATIONS = ("relu", "leaky_relu", "silu")
# Adaptive optimizers take steps of the size of the rate, the others of rate times gradient.
RATES = {"adam": (3e-4, 1e-2), "adamw": (3e-4, 1e-2), "rmsprop": (1e-4, 3e-3), "sgd": (1e-2, 3e-1)}


def convnet(trial: "optuna.trial.BaseTrial", image_shape: ImageShape, examples: int) -> Settings:
    """Choose blocks of convolutions, of which each halves the image, and what stands on top."""
    blocks = trial.suggest_int("blocks", 1, min(3, int(math.log2(min(image_shape[:2])))))
    filters = trial.suggest_int("filters", WIDTHS[0], widest_affordable(image_shape, blocks), step=16)
    twice = multiply_adds(image_shape, widths(filters, blocks), convolutions=2)
    return {
        "network": "convnet",
        "blocks": blocks,
        "filters": filters,
        "convolutions": trial.suggest_int("convolutions", 1, 2 if twice <= MULTIPLY_ADDS else 1),
        "units": trial.suggest_categorical("units", [0, 64, 128, 256]),  # 0: no hidden dense layer
        "batch_normalization": trial.suggest_categorical("batch_normalization", [True, False]),
        **_training(trial, examples),
    }


def dense(trial: "optuna.trial.BaseTrial", image_shape: ImageShape, examples: int) -> Settings:
    """Choose hidden layers of one width."""
    return {
        "network": "dense",
        "layers": trial.suggest_int("layers", 1, 3),
        "units": trial.suggest_categorical("units", [128, 256, 512]),
        **_training(trial, examples),
    }


SPACES = {"convnet": convnet, "dense": dense}
# What a search tries first: the workshop's network, and what people try next. Ten shots in the dark find less.
BASELINES: dict[str, list[Settings]] = {
    "convnet": [
        {
            "blocks": 2, "filters": 32, "convolutions": 1, "units": 0, "batch_normalization": False,
            "activation": "relu", "dropout": 0.2, "optimizer": "adam", "rate of adam": 2e-3, "batch_size": 128,
        },
        {
            "blocks": 3, "filters": 32, "convolutions": 1, "units": 128, "batch_normalization": True,
            "activation": "relu", "dropout": 0.3, "optimizer": "adam", "rate of adam": 2e-3, "batch_size": 128,
        },
    ],
    "dense": [
        {
            "layers": 1, "units": 512,
            "activation": "relu", "dropout": 0.0, "optimizer": "rmsprop", "rate of rmsprop": 1e-3, "batch_size": 128,
        },
    ],
}  # fmt: skip


def baselines(network: str, image_shape: ImageShape, examples: int) -> list[Settings]:
    """Return the parameters a search tries first; none for data so small that they lie outside of its space."""
    small = examples < max(BATCHES) or min(image_shape[:2]) < 8 or widest_affordable(image_shape, 3) < 32
    return [] if small else BASELINES[network]


def _training(trial: "optuna.trial.BaseTrial", examples: int) -> Settings:
    """Choose what both networks need."""
    optimizer = trial.suggest_categorical("optimizer", list(RATES))
    # Two names: what is known of one range says nothing about the others.
    rate = trial.suggest_float(f"rate of {optimizer}", *RATES[optimizer], log=True)
    return {
        "activation": trial.suggest_categorical("activation", list(ACTIVATIONS)),
        "dropout": round(trial.suggest_float("dropout", 0.0, 0.5, step=0.1), 1),
        "optimizer": optimizer,
        "rate": float(f"{rate:.3g}"),
        # A split of fewer images than a batch could not be trained on.
        "batch_size": trial.suggest_categorical("batch_size", [n for n in BATCHES if n <= examples] or [examples]),
    }


def widths(filters: int, blocks: int) -> list[int]:
    """Return the width of every block: doubled from one to the next, up to `WIDEST`."""
    return [min(filters * 2**block, WIDEST) for block in range(blocks)]


def widest_affordable(image_shape: ImageShape, blocks: int) -> int:
    """Return the largest first width that stays within `MULTIPLY_ADDS`, with a convolution a block."""
    within = [width for width in WIDTHS if multiply_adds(image_shape, widths(width, blocks), 1) <= MULTIPLY_ADDS]
    # However large the images are, the smallest network there is may be tried.
    return max(within, default=WIDTHS[0])


def multiply_adds(image_shape: ImageShape, filters: Sequence[int], convolutions: int) -> int:
    """Count what the 3x3 convolutions of a network do for an image, poolings in between."""
    height, width, channels = image_shape
    total = 0
    for after in filters:
        for _ in range(convolutions):
            total += height * width * 9 * channels * after
            channels = after
        height, width = height // 2, width // 2
    return total


def build(
    settings: Settings,
    data: DataModule,
    *,
    steps: int,
    augment: Sequence[str] = (),
    kind: type[Classifier] = Classifier,
) -> Classifier:
    """Build a compiled classifier.

    Args:
        settings: What a search chose.
        data: Says how large the images are and how many classes there are.
        steps: Training steps, over which the learning rate goes down to zero.
        augment: Names for `kg.layers.augmentation`; none leaves the images alone.
        kind: Class of the result.
    """
    assert data.num_classes is not None  # Search refuses data without labels.
    network = network_of(settings, data.image_shape, data.num_classes)
    classifier = kind(network, data.class_names, augmentation=augmentation_of(augment, data.background))
    classifier.compile(optimizer_of(settings, steps), "sparse_categorical_crossentropy", ["accuracy"])
    return classifier


def augmentation_of(names: Sequence[str], background: str | None = None) -> keras.Layer | None:
    """Build the layer that changes training images; no names stand for none."""
    return layers.augmentation(names, background) if names else None


def network_of(settings: Settings, image_shape: ImageShape, num_classes: int) -> keras.Model:
    """Build the network that settings stand for."""
    common = {"activation": settings["activation"], "dropout": settings["dropout"]}
    if settings["network"] == "dense":
        units = [settings["units"]] * settings["layers"]
        return networks.dense.classifier(image_shape, num_classes, units=units, **common)
    return networks.convnet.classifier(
        image_shape,
        num_classes,
        filters=widths(settings["filters"], settings["blocks"]),
        convolutions=settings["convolutions"],
        units=[settings["units"]] if settings["units"] else [],
        batch_normalization=settings["batch_normalization"],
        padding="same",  # so that three blocks fit into 8x8 pixels
        **common,
    )


def optimizer_of(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """Build the optimizer that settings stand for; its rate goes down to zero along a cosine over `steps`."""
    rate = keras.optimizers.schedules.CosineDecay(settings["rate"], steps)
    if settings["optimizer"] == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "rmsprop": keras.optimizers.RMSprop}
    return kinds[settings["optimizer"]](rate)


def words(settings: Settings) -> dict[str, str]:
    """Say settings in few words, by the headings of a table."""
    if settings["network"] == "dense":
        network = f"{settings['layers']}x{settings['units']}"
    else:
        network = "-".join(map(str, widths(settings["filters"], settings["blocks"])))
        network = f"{settings['convolutions']}x{network}" if settings["convolutions"] > 1 else network
        network += " bn" if settings["batch_normalization"] else ""
    said = {"network": f"{network} {settings['activation']}"}
    if settings["network"] == "convnet":
        said["dense"] = str(settings["units"] or "-")
    mantissa, exponent = f"{settings['rate']:.1e}".split("e")
    return {
        **said,
        "drop": f"{settings['dropout']:.1f}",
        "optimizer": f"{settings['optimizer']} {mantissa}e{int(exponent)}",
        "batch": str(settings["batch_size"]),
    }
