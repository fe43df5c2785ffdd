"""A classifier of explicit weights and `keras.ops`: what the layers of `convnet` and `dense` do inside."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasgan.layers import max_pool
from kerasgan.networks.dcgan import ImageShape

DENSE_UNITS = 512


def conv2d(x: Any, kernel: Any, bias: Any, strides: int = 1) -> Any:
    """Slide a kernel over images padded with zeros, so that stride 1 keeps their size.

    Args:
        x: Tensor `(batch, height, width, channels)`.
        kernel: Tensor `(kernel_height, kernel_width, channels, filters)`.
        bias: Tensor `(filters,)`.
        strides: Pixels from one position of the kernel to the next.

    Returns:
        Tensor `(batch, height / strides, width / strides, filters)`, sizes rounded up.
    """
    return ops.conv(x, kernel, strides=strides, padding="same", data_format="channels_last") + bias


def max_pool2d(x: Any, size: int = 2) -> Any:
    """Keep the largest value of each square of `size` x `size` pixels.

    Args:
        x: Tensor `(batch, height, width, channels)`.
        size: Side of a square; those at the right and lower edge may reach beyond the image.

    Returns:
        Tensor `(batch, height / size, width / size, channels)`, sizes rounded up.
    """
    return max_pool(x, (size, size), padding="same")


def fully_connected(x: Any, kernel: Any, bias: Any) -> Any:
    """Connect every input with every output.

    Args:
        x: Tensor `(batch, inputs)`.
        kernel: Tensor `(inputs, outputs)`.
        bias: Tensor `(outputs,)`.

    Returns:
        Tensor `(batch, outputs)`.
    """
    return ops.matmul(x, kernel) + bias


@keras.saving.register_keras_serializable("kerasgan")
class LowLevelNetwork(keras.layers.Layer):
    """A whole network in one layer, put together from a list of parts.

    The k-th `"conv"`, from 0, is a 3x3 convolution of `32 * 2**k` filters, ReLU, and max pooling by 2. A `"dense"` is
    512 units and ReLU, with dropout where it is asked for. A last product gives the logits.

    Kernels before a ReLU start as `HeNormal`, a truncated normal of variance 2 / inputs: the ReLU halves the mean
    square, and the two keeps it the same from layer to layer. No ReLU follows the logits, so theirs is `GlorotUniform`.
    Both draw from the seed of `keras.utils.set_random_seed`.

    Args:
        num_classes: Number of logits.
        parts: `"conv"` and `"dense"`, at least one, the convolutions first.
        dropout: Share of activations dropped after each `"dense"`, in [0, 1).
        options: As `keras.layers.Layer` takes them.

    Raises:
        ValueError: `parts` is no such list, or `dropout` is out of range.

    Reference:
        He et al., Delving Deep into Rectifiers (arXiv:1502.01852), eq. 10.
    """

    def __init__(
        self, num_classes: int, parts: Sequence[str] = ("conv", "conv", "dense"), dropout: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        parts = tuple(parts)
        # Sorted, every "conv" comes before every "dense".
        if not parts or set(parts) - {"conv", "dense"} or list(parts) != sorted(parts):
            raise ValueError(f"parts is {list(parts)}; name 'conv' and 'dense', at least one, each 'conv' first.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; choose a share from 0 up to but not 1.")
        self.num_classes, self.parts, self.dropout = num_classes, parts, dropout
        self.seed_generator = keras.random.SeedGenerator() if dropout else None

    def build(self, input_shape: tuple[int | None, int, int, int]) -> None:
        """Make the weights for images `(batch, height, width, channels)`."""
        _, height, width, channels = input_shape
        self.layer_weights: list[tuple[Any, Any]] = []  # (kernel, bias) of each part, then of the logits
        for level in range(self.parts.count("conv")):
            filters = 32 * 2**level
            self._add_layer(f"conv_{level}", (3, 3, channels, filters))
            height, width, channels = -(-height // 2), -(-width // 2), filters
        inputs = height * width * channels  # 7 * 7 * 64 = 3136 for 28x28
        for level in range(self.parts.count("dense")):
            self._add_layer(f"dense_{level}", (inputs, DENSE_UNITS))
            inputs = DENSE_UNITS
        self._add_layer("logits", (inputs, self.num_classes), initializer="glorot_uniform", autocast=False)

    def call(self, images: Any, training: bool = False) -> Any:
        """Map images `(batch, height, width, channels)` to logits `(batch, num_classes)`, float32."""
        *hidden, (output_kernel, output_bias) = self.layer_weights
        x = images
        for part, (kernel, bias) in zip(self.parts, hidden, strict=True):
            if part == "conv":
                x = max_pool2d(ops.relu(conv2d(x, kernel, bias)))
                continue
            x = ops.relu(fully_connected(_flatten(x), kernel, bias))
            if training and self.dropout:
                x = keras.random.dropout(x, self.dropout, seed=self.seed_generator)
        # Logits are float32 whatever the precision of the layer: their differences decide.
        return fully_connected(ops.cast(_flatten(x), "float32"), output_kernel, output_bias)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for `.keras` files."""
        own = {"num_classes": self.num_classes, "parts": list(self.parts), "dropout": self.dropout}
        return {**super().get_config(), **own}

    def _add_layer(
        self, name: str, shape: tuple[int, ...], initializer: str = "he_normal", autocast: bool = True
    ) -> None:
        kernel = self.add_weight(shape, initializer, name=f"{name}_kernel", autocast=autocast)
        bias = self.add_weight(shape[-1:], "zeros", name=f"{name}_bias", autocast=autocast)
        self.layer_weights.append((kernel, bias))


def classifier(
    image_shape: ImageShape = (28, 28, 1),
    num_classes: int = 10,
    *,
    parts: Sequence[str] = ("conv", "conv", "dense"),
    dropout: float = 0.0,
) -> keras.Model:
    """Build a model around a `LowLevelNetwork`.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        parts: `"conv"` and `"dense"`, at least one, the convolutions first.
        dropout: Share of activations dropped after each `"dense"`, in [0, 1).

    Returns:
        A network from images `(batch, height, width, channels)` in [-1, 1] to logits `(batch, num_classes)`, float32:
        its loss needs `from_logits=True`.

    Raises:
        ValueError: `parts` is no such list, or `dropout` is out of range.
    """
    images = keras.Input(image_shape, name="images")
    # In [0, 1] a black border is the zeros that a convolution pads with.
    x = keras.layers.Rescaling(0.5, 0.5)(images)
    return keras.Model(images, LowLevelNetwork(num_classes, parts, dropout)(x), name="low_level")


def _flatten(x: Any) -> Any:
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))
