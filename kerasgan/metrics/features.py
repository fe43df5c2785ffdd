"""What images look like in numbers: the inner values of a classifier, which distances between images are taken in."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from kerasgan.modules.checks import far_out, from_zero_to_one
from kerasgan.networks import featurenet

WEIGHTS = Path(__file__).parent / "weights"
FEATURE_NETWORKS = ("mnist", "fashion_mnist")
# By the name of the data, the one that measures them; of stacked_mnist, each channel.
FEATURES_OF = {"digits": "mnist", "mnist": "mnist", "fashion_mnist": "fashion_mnist", "stacked_mnist": "mnist"}
LEAST_IMAGES = 20  # In a set: with fewer no measure says anything, and halves have no five neighbours.
_BLOCK = 8192  # Images that are floats at a time: 26 MB of 28x28.

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]


class FeatureNetworkError(ValueError):
    """Weights are missing or damaged, or a network does not fit the images; one line with the remedy."""


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network that describes images. `feature_network` makes it.

    Attributes:
        name: For reports.
        network: From images `(batch, height, width, channels)` in [-1, 1] to features `(batch, width)`; or to those
            and probabilities `(batch, classes)`.
        digest: SHA-256 of its weights, 64 hexadecimal digits: measures taken with another network do not compare.
        facts: What is known of how it was trained.
    """

    name: str
    network: keras.Model
    digest: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classifies(self) -> bool:
        """Whether it gives probabilities besides features."""
        return len(self.network.outputs) == 2

    def describe(self, images: Array, batch_size: int = 256) -> tuple[Floats, Floats | None]:
        """Look at images.

        Args:
            images: `(count, height, width, channels)`: floats in [-1, 1], or uint8 in 0..255.
            batch_size: Images at a time.

        Returns:
            Features `(count, width)`, and probabilities `(count, classes)` or None.

        Raises:
            FeatureNetworkError: The network takes images of another shape.
            ValueError: A value of the images is not finite.
        """
        wanted = self.network.input_shape[1:]
        if images.ndim != 4 or any(
            side not in (None, given) for side, given in zip(wanted, images.shape[1:], strict=True)
        ):
            raise FeatureNetworkError(
                f"images have shape {images.shape}; the feature network {self.name} takes (count, {str(wanted)[1:-1]}),"
                " so give a Keras model of your own for these."
            )
        blocks = []
        for first in range(0, len(images), _BLOCK):
            block = as_floats(images[first : first + _BLOCK])
            outputs = self.network.predict(block, batch_size=batch_size, verbose=0)
            blocks.append(outputs if self.classifies else [outputs])
        joined = [np.concatenate(parts).astype(np.float64) for parts in zip(*blocks, strict=True)]
        features = joined[0].reshape(len(images), -1)
        return features, joined[1] if self.classifies else None


def feature_network(name_or_model: str | keras.Model, layer: str | None = None) -> FeatureNetwork:
    """Return a network to measure images with.

    Args:
        name_or_model: `"mnist"` or `"fashion_mnist"` for one of the small classifiers that come with kerasgan, for
            images 28x28x1; or any functional Keras model from images in [-1, 1].
        layer: Of a model, the layer whose outputs are the features; the model's own outputs are taken for
            probabilities then. None where the model's outputs are the features, as those of
            `keras.applications.InceptionV3(include_top=False, pooling="avg")`.

    Raises:
        FeatureNetworkError: There is no such network, its file is damaged, or the model has no such layer.

    Example:
        >>> features, probabilities = kg.metrics.feature_network("mnist").describe(gan.generate(1000))
    """
    if isinstance(name_or_model, str):
        if layer is not None:
            raise FeatureNetworkError(f"layer is {layer!r}, which is for a model of your own; leave it out.")
        return _shipped(name_or_model)
    model = name_or_model
    if len(getattr(model, "inputs", None) or ()) != 1:
        raise FeatureNetworkError(f"{model.name} has no single input of images; give a functional model that has.")
    if layer is None:
        return FeatureNetwork(model.name, keras.Model(model.inputs[0], model.outputs[0]), digest_of(model))
    names = [one.name for one in model.layers]
    if layer not in names:
        raise FeatureNetworkError(f"layer {layer!r} is not in {model.name}; choose one of {', '.join(names[-5:])}.")
    both = [model.get_layer(layer).output, model.outputs[0]]
    return FeatureNetwork(f"{model.name}/{layer}", keras.Model(model.inputs[0], both), digest_of(model))


def has_feature_network(data_name: str | None, image_shape: tuple[int, ...]) -> bool:
    """Whether a network that comes with kerasgan fits some data; arguments as in `feature_network_of`."""
    return _name_for(data_name) is not None and tuple(image_shape) == (28, 28, 1)


def feature_network_of(data_name: str | None, image_shape: tuple[int, ...]) -> FeatureNetwork:
    """Return the network that comes with kerasgan for some data.

    Args:
        data_name: Of a data set, such as `"mnist"`; None where the images have no name.
        image_shape: `(height, width, channels)`.

    Raises:
        FeatureNetworkError: There is none for these images.
    """
    name = _name_for(data_name)
    if name is None or not has_feature_network(data_name, image_shape):
        which = f"images of {tuple(image_shape)}" + (f" called {data_name}" if data_name else "")
        raise FeatureNetworkError(
            f"no feature network is known for {which}; give {' or '.join(map(repr, FEATURE_NETWORKS))} for 28x28x1 "
            "images, or a Keras model for others."
        )
    return feature_network(name)


def save_feature_network(network: keras.Model, folder: Path, name: str, facts: Mapping[str, Any]) -> Path:
    """Write the weights of a `kg.networks.featurenet.classifier`, and beside them a JSON with facts and their digest.

    Args:
        network: The trained classifier.
        folder: Made if need be.
        name: Of the two files.
        facts: What to say of the training, such as the accuracy.

    Returns:
        The file of weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    # By order, as names of variables are counted on within a process.
    data = safetensors.numpy.save({f"{i:04}": value for i, value in enumerate(network.get_weights())})
    path.write_bytes(data)
    about = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), **facts}
    path.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return path


def load_feature_network(folder: Path, name: str) -> FeatureNetwork:
    """Read what `save_feature_network` has written.

    Raises:
        FeatureNetworkError: A file is missing, or is not what was written.
    """
    path = folder / f"{name}.safetensors"
    try:
        data, facts = path.read_bytes(), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        digest = hashlib.sha256(data).hexdigest()
        if digest != facts["sha256"]:
            raise FeatureNetworkError(
                f"{path}: has the SHA-256 {digest[:12]}..., and {str(facts['sha256'])[:12]}... is written beside it; "
                "install kerasgan again."
            )
        weights = safetensors.numpy.load(data)
        network = featurenet.classifier()
        network.set_weights([weights[key] for key in sorted(weights)])
    except FeatureNetworkError:
        raise
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FeatureNetworkError(f"{path}: cannot be read ({reason}); install kerasgan again.") from error
    both = [network.get_layer(featurenet.FEATURES).output, network.outputs[0]]
    return FeatureNetwork(name, keras.Model(network.inputs[0], both), digest, facts)


def digest_of(model: keras.Model) -> str:
    """Return the SHA-256 of a model's weights, shapes included, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for value in map(np.asarray, model.get_weights()):
        digest.update(f"{value.shape} {value.dtype.name};".encode() + np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def as_floats(images: Array) -> npt.NDArray[np.float32]:
    """Bring images to float32 in [-1, 1].

    Args:
        images: uint8 in 0..255, or floats in [-1, 1].

    Raises:
        ValueError: They are something else, not finite, or over one in 100 pixels lies far beyond [-1, 1].
    """
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(127.5) - np.float32(1)
    if images.dtype.kind != "f":
        raise ValueError(f"images are {images.dtype}; give uint8 in 0..255, or floats in [-1, 1].")
    floats = images.astype(np.float32)
    if not np.isfinite(floats).all():
        raise ValueError("images hold NaN or infinity; the generator has diverged, so judge an earlier one.")
    if floats.size and far_out(floats):
        raise ValueError(
            f"images are floats up to {np.abs(floats).max():.4g}; give floats in [-1, 1], or uint8 in 0..255."
        )
    return floats


def as_pixels(images: Array) -> Pixels:
    """Round images to 8 bits, as whoever saves them does: measured must be what others will see.

    Args:
        images: As in `as_floats`; floats beyond [-1, 1] are clipped.
    """
    if images.dtype == np.uint8:
        return images
    pixels: Pixels = np.clip(np.rint((as_floats(images) + 1) * 127.5), 0, 255).astype(np.uint8)
    return pixels


def as_set(images: npt.ArrayLike, name: str) -> Array:
    """Look at a set of images before it is measured.

    Args:
        images: As in `as_floats`; also as a tensor of either backend, or a list.
        name: What to call them in an error.

    Returns:
        Them as an array.

    Raises:
        ValueError: There are too few.

    Warns:
        UserWarning: All are floats in [0, 1], which is how others scale images.
    """
    images = np.asarray(images)
    if len(images) < LEAST_IMAGES:
        raise ValueError(f"{name} has {len(images)} images; give at least {LEAST_IMAGES}, better 10,000.")
    if images.dtype.kind == "f" and from_zero_to_one(images):
        warnings.warn(
            f"{name} lies in [0, 1], and is measured as if in [-1, 1], so no pixel is darker than grey; if that is the "
            "scale, give 2 * images - 1.",
            stacklevel=3,
        )
    return images


def _name_for(data_name: str | None) -> str | None:
    return FEATURES_OF.get((data_name or "").replace("-", "_"))


def _shipped(name: str) -> FeatureNetwork:
    known = name.replace("-", "_")
    if known not in FEATURE_NETWORKS:
        raise FeatureNetworkError(
            f"feature network {name!r} is unknown; choose one of {', '.join(FEATURE_NETWORKS)}, or give a Keras model."
        )
    return load_feature_network(WEIGHTS, known)
