"""Spectral normalization that learns the same thing on every backend."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("kerasgan")
class SpectralNormalization(keras.layers.SpectralNormalization):
    """A layer whose kernel is divided by its largest singular value, in training and out of it.

    Takes the arguments of `keras.layers.SpectralNormalization` and has its weights. Keras's layer overwrites the kernel
    while it is being trained: TensorFlow's gradients then pass the division by, JAX's do not, and where JAX drops what
    was written, prediction uses another kernel than training. Here the kernel is left alone, and the gradient is that
    of the paper, through the division, with the singular vectors held constant.

    Args:
        layer: A layer with a `kernel` or `embeddings`, linear but for its bias; put any activation after the wrapper.
        power_iterations: Steps towards the first singular vectors, from where the last batch got, at least 1.
        options: As in `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: The layer has an activation, which dividing its output would not reach.

    Reference:
        Miyato et al., Spectral Normalization for Generative Adversarial Networks (arXiv:1802.05957), algorithm 1.
    """

    kernel: Any
    vector_u: Any
    layer: Any

    def __init__(self, layer: Any, power_iterations: int = 1, **options: Any) -> None:
        super().__init__(layer, power_iterations, **options)
        activation = getattr(layer, "activation", None)
        if activation not in (None, keras.activations.linear):
            named = getattr(activation, "__name__", type(activation).__name__)
            raise ValueError(
                f"{type(layer).__name__} has activation={named!r}; give it none, and put the activation after "
                "SpectralNormalization."
            )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map inputs as the wrapped layer would, were its kernel divided by the largest singular value."""
        singular_value, vector_u = self.power_iteration()
        if training:
            self.vector_u.assign(ops.cast(vector_u, self.vector_u.dtype))
        outputs = self.layer(inputs)
        # Dividing the output divides the kernel, whatever the layer does with it; the bias is put back.
        share = ops.cast(1.0 / singular_value, outputs.dtype)
        outputs = outputs * share
        if getattr(self.layer, "bias", None) is not None:
            bias = ops.cast(self.layer.bias, outputs.dtype)
            if getattr(self.layer, "data_format", None) == "channels_first":
                bias = ops.reshape(bias, (-1, *[1] * (len(outputs.shape) - 2)))  # (channels, 1, 1)
            outputs = outputs + bias * (1.0 - share)
        return outputs

    def power_iteration(self) -> tuple[Any, Any]:
        """Return the current estimate of the kernel's largest singular value, a scalar, and its vector `(1, n)`.

        The kernel is seen as a matrix with as many columns as its last axis. A kernel of zeros counts as if it had one.
        """
        # Float32 whatever the precision of the layer: a norm adds up squares.
        kernel = ops.reshape(ops.cast(self.kernel, "float32"), (-1, self.kernel.shape[-1]))
        constant = ops.stop_gradient(kernel)
        vector_u = ops.cast(self.vector_u, "float32")
        for _ in range(self.power_iterations):
            vector_v = _unit(ops.matmul(vector_u, ops.transpose(constant)))
            vector_u = _unit(ops.matmul(vector_v, constant))
        singular_value = ops.sum(ops.matmul(vector_v, kernel) * vector_u)
        return ops.where(singular_value > 0, singular_value, ops.ones_like(singular_value)), vector_u


def _unit(vector: Any) -> Any:
    return vector / ops.sqrt(ops.maximum(ops.sum(ops.square(vector)), 1e-24))
