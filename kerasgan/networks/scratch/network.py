"""Dense layers and a network of them, each a few lines over `keras.Variable` and `keras.ops`."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

ImageShape = tuple[int, int, int]
Activation = str | Callable[[Any], Any] | None
Init = str | Callable[[tuple[int, int]], Any]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "elu": ops.elu,
    "leaky_relu": ops.leaky_relu,
    "relu": ops.relu,
    "sigmoid": ops.sigmoid,
    "softmax": ops.softmax,
    "tanh": ops.tanh,
}


def uniform(shape: tuple[int, int], seed: int | None) -> Any:
    """Draw from U(0, 0.1), the start in Chollet's text."""
    return keras.random.uniform(shape, 0.0, 0.1, seed=seed)


def centred(shape: tuple[int, int], seed: int | None) -> Any:
    """Draw from U(-0.05, 0.05), as wide as `uniform` but with zero mean."""
    return keras.random.uniform(shape, -0.05, 0.05, seed=seed)


def glorot(shape: tuple[int, int], seed: int | None) -> Any:
    """Draw from U(-a, a) with a = sqrt(6 / (inputs + outputs)), the start of Keras's own `Dense`."""
    limit = math.sqrt(6 / sum(shape))
    return keras.random.uniform(shape, -limit, limit, seed=seed)


INITS = {"centred": centred, "glorot": glorot, "uniform": uniform}


class ScratchDense:
    """A dense layer: `activation(inputs @ kernel + bias)`.

    Args:
        inputs: Numbers that go in, for each example.
        outputs: Numbers that come out.
        activation: Name in `ACTIVATIONS`, a function of a tensor, or None for none.
        init: How the kernel starts, the bias being zero: a name in `INITS`, or a function of the shape
            `(inputs, outputs)`, such as `keras.ops.zeros`.
        seed: Fixes what a named `init` draws; None draws from the seed of `keras.utils.set_random_seed`.

    Raises:
        ValueError: A name is unknown, or `init` returned another shape.
    """

    def __init__(
        self, inputs: int, outputs: int, activation: Activation = None, init: Init = "uniform", seed: int | None = None
    ) -> None:
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}; choose a function or one of {', '.join(ACTIVATIONS)}.")
        if isinstance(init, str) and init not in INITS:
            raise ValueError(f"init is {init!r}; choose a function of the shape or one of {', '.join(INITS)}.")
        shape = (inputs, outputs)
        kernel = ops.convert_to_tensor(INITS[init](shape, seed) if isinstance(init, str) else init(shape), "float32")
        if tuple(kernel.shape) != shape:
            raise ValueError(f"init returned the shape {tuple(kernel.shape)}; it was asked for {shape}.")
        self.inputs, self.outputs, self.activation, self.init = inputs, outputs, activation, init
        self.kernel = keras.Variable(kernel, dtype="float32", name="kernel")
        self.bias = keras.Variable(ops.zeros((outputs,)), dtype="float32", name="bias")

    def __call__(self, inputs: Any) -> Any:
        """Map `(batch, inputs)` to `(batch, outputs)`."""
        outputs = ops.matmul(inputs, self.kernel) + self.bias
        if self.activation is None:
            return outputs
        return ACTIVATIONS[self.activation](outputs) if isinstance(self.activation, str) else self.activation(outputs)

    @property
    def weights(self) -> list[keras.Variable]:
        """The kernel, `(inputs, outputs)`, and the bias, `(outputs,)`."""
        return [self.kernel, self.bias]


class ScratchSequential:
    """Layers one after the other, on images.

    Args:
        layers: At least one; each takes as many numbers as the one before it gives.
        image_shape: `(height, width, channels)`; the first layer takes their product.

    Attributes:
        velocities: One to a weight, zeros at first: what momentum remembers from one step to the next. Variables,
            so that a checkpoint can hold them.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(self, layers: Sequence[ScratchDense], image_shape: ImageShape = (28, 28, 1)) -> None:
        if not layers or layers[0].inputs != math.prod(image_shape):
            raise ValueError(
                f"Images of shape {tuple(image_shape)} are {math.prod(image_shape)} numbers; "
                f"let the first layer take those, not {layers[0].inputs if layers else 'nothing'}."
            )
        for before, after in itertools.pairwise(layers):
            if before.outputs != after.inputs:
                raise ValueError(
                    f"A layer gives {before.outputs} numbers and the next takes {after.inputs}; match them."
                )
        self.layers, self.image_shape = list(layers), image_shape
        self.velocities = [
            keras.Variable(ops.zeros(weight.shape), trainable=False, dtype="float32", name="velocity")
            for weight in self.weights
        ]

    def __call__(self, images: Any) -> Any:
        """Map images to what the last layer gives.

        Args:
            images: `(batch, height, width, channels)` or already flat, in [-1, 1].

        Returns:
            `(batch, outputs)`, float32.

        Raises:
            ValueError: The images are of another size.
        """
        x = ops.cast(ops.convert_to_tensor(images), "float32")
        if math.prod(x.shape[1:]) != self.layers[0].inputs:
            raise ValueError(f"Images are {tuple(x.shape[1:])}; this network takes {tuple(self.image_shape)}.")
        x = ops.reshape(x, (-1, math.prod(x.shape[1:])))  # (batch, 784) for 28x28
        x = x * 0.5 + 0.5  # To [0, 1], which Chollet's text trains on; kg.data hands out [-1, 1].
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def weights(self) -> list[keras.Variable]:
        """The weights of all layers, in order."""
        return [weight for layer in self.layers for weight in layer.weights]

    def as_keras(self) -> keras.Sequential:
        """Build the same network of stock Keras layers, with a copy of the weights."""
        layers = [
            keras.layers.Dense(layer.outputs, activation=layer.activation, dtype="float32") for layer in self.layers
        ]
        start = [
            keras.Input(self.image_shape, name="images"),
            keras.layers.Rescaling(0.5, 0.5, dtype="float32"),
            keras.layers.Flatten(),
        ]
        network = keras.Sequential([*start, *layers], name="scratch")
        network.set_weights([ops.convert_to_numpy(weight) for weight in self.weights])
        return network


def classifier(
    image_shape: ImageShape = (28, 28, 1),
    num_classes: int = 10,
    *,
    units: Sequence[int] = (512,),
    activation: Activation = "relu",
    init: Init = "uniform",
    seed: int | None = 0,
) -> ScratchSequential:
    """Build a network of dense layers that ends in a softmax.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        units: Width of each hidden layer.
        activation: What follows each hidden layer; see `ScratchDense`.
        init: How the kernels start; see `ScratchDense`.
        seed: Fixes what a named `init` draws; None draws from the seed of `keras.utils.set_random_seed`.

    Returns:
        A network from images `(batch, height, width, channels)` in [-1, 1] to probabilities `(batch, num_classes)`.
    """
    widths = [math.prod(image_shape), *units, num_classes]
    activations = [*[activation] * len(units), "softmax"]
    layers = [
        ScratchDense(inputs, outputs, after, init, None if seed is None else seed + index)
        for index, (inputs, outputs, after) in enumerate(zip(widths, widths[1:], activations, strict=False))
    ]
    return ScratchSequential(layers, image_shape)
