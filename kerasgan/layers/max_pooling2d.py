"""Maximum pooling that also trains fast on a CPU under XLA."""

from typing import Any

import keras
from keras import ops

from kerasgan import backends


def max_pool(inputs: Any, size: tuple[int, int], padding: str = "valid") -> Any:
    """`keras.ops.max_pool` over windows that do not overlap: the same values and gradients, but faster.

    Args:
        inputs: Tensor of floats, `(batch, height, width, channels)`.
        size: Height and width of a window, and the distance from one to the next.
        padding: `"valid"`, where rows and columns that fill no window are left out, or `"same"`, where a window may
            reach beyond the edge.

    Returns:
        Tensor `(batch, new_height, new_width, channels)`: the sizes divided by those of a window, rounded down for
        `"valid"` and up for `"same"`.
    """
    height, width = inputs.shape[1:3]
    if (
        None in (height, width)
        or (height < size[0] or width < size[1])
        or (padding == "same" and (height % size[0] or width % size[1]))
    ):
        return ops.max_pool(inputs, size, strides=size, padding=padding, data_format="channels_last")
    return backends.max_pool(inputs, size)


@keras.saving.register_keras_serializable("kerasgan")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` with the same arguments and results, and a faster gradient.

    On a CPU, XLA's gradient of a pooling takes longer than that of the convolution before it; here it is a
    comparison. Windows that overlap and channels that come first are left to Keras. `kerasgan.layers.to_stock` turns a
    model that holds this layer into one of stock layers.
    """

    def call(self, inputs: Any) -> Any:
        """Map `(batch, height, width, channels)` to `(batch, new_height, new_width, channels)`."""
        if tuple(self.strides) != tuple(self.pool_size) or self.data_format != "channels_last":
            return super().call(inputs)
        return max_pool(inputs, self.pool_size, self.padding)
