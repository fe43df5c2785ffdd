"""The residual GAN without normalization of R3GAN, for square images whose side is 4, 5, 6 or 7 times a power of two.

From its smallest pictures (4x4 for 32x32, 7x7 for 28x28) to the image the side doubles from stage to stage, with
residual blocks in each; the discriminator is the generator's mirror image. What differs from the paper's networks, to
suit a CPU: unless asked for, 3x3 convolutions are not grouped and blocks no wider inside than outside; the stages of
large pictures are narrower; and images are scaled by interpolation and averages rather than by a filter of one's own.
Images end in tanh, unless `output_activation` is None.

Reference:
    Huang et al., The GAN is dead; long live the GAN! A Modern Baseline GAN (arXiv:2501.05441), section 4.
"""

from typing import Any, NamedTuple

import keras

from kerasgan.layers import Conv2D, SpectralNormalization
from kerasgan.networks.dcgan import WIDEST, ImageShape

SLOPE = 0.2  # of the leaky ReLUs, for negative inputs
CONVOLUTIONS = 3  # in a block


def generator(
    image_shape: ImageShape = (32, 32, 1),
    latent_dim: int = 64,
    *,
    width: int = 32,
    blocks: int = 1,
    expansion: int = 1,
    cardinality: int = 1,
    output_activation: str | None = "tanh",
) -> keras.Model:
    """Build the network that turns latents into images.

    Args:
        image_shape: `(side, side, channels)`; side 4, 5, 6 or 7 times a power of two from 8 to 128, channels 1 or 3.
        latent_dim: Length of a latent vector.
        width: Channels at the side of the image; twice as many whenever the side is halved, up to 512.
        blocks: Residual blocks in each stage, at least 1.
        expansion: How many times wider a block is inside than outside; 2 in the paper, whose groups make it cheap.
        cardinality: Groups of each 3x3 convolution; with more than 1, as in the paper, a CPU takes at least seven times
            as long for it.
        output_activation: What brings the image into [-1, 1]; None for none, as in the paper.

    Returns:
        A network from `(batch, latent_dim)` to `(batch, side, side, channels)`.

    Raises:
        ValueError: The image shape, `latent_dim` or a size is out of range.
    """
    plan = Plan.of(image_shape, width, blocks, expansion, cardinality)
    if image_shape[2] not in (1, 3):
        raise ValueError(f"image_shape is {tuple(image_shape)}; channels must be 1 (grey) or 3 (colour).")
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}; choose a positive integer such as 64.")
    base, (first, *others) = plan.base, plan.widths[::-1]

    latents = keras.Input((latent_dim,), name="latents")
    x = plan.dense(first)(latents)
    # A learned constant map per channel, scaled by the latents.
    x = keras.layers.EinsumDense(
        "bc,hwc->bhwc", (base, base, first), kernel_initializer=keras.initializers.RandomNormal(stddev=1.0)
    )(x)  # (batch, 4, 4, 256) for 32x32
    x = plan.stage(x)
    for channels in others:
        x = plan.resized(x, channels)
        x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = plan.stage(x)
    x = plan.convolution(image_shape[2], 1)(x)
    # The image is float32 whatever the precision of the layers: it meets data and files.
    images = keras.layers.Activation(output_activation or "linear", dtype="float32")(x)
    return keras.Model(latents, images, name="generator")


def discriminator(
    image_shape: ImageShape = (32, 32, 1),
    *,
    width: int = 32,
    blocks: int = 1,
    expansion: int = 1,
    cardinality: int = 1,
    spectral_normalization: bool = False,
) -> keras.Model:
    """Build the network that scores images.

    Args:
        image_shape: `(side, side, channels)`; side as in `generator`, any number of channels: planes that tell the
            label may be among them.
        width: As in `generator`, like the three that follow.
        blocks: See there.
        expansion: See there.
        cardinality: See there.
        spectral_normalization: Whether kernels are divided by their largest singular values. A kernel of zeros has
            none, so blocks then do not start as identities.

    Returns:
        A network from `(batch, side, side, channels)` to logits `(batch, 1)`; higher means more real. The last layer
        has no bias, which a relativistic loss would give no gradient but rounding errors.

    Raises:
        ValueError: The image shape or a size is out of range.
    """
    plan = Plan.of(image_shape, width, blocks, expansion, cardinality, spectral_normalization)
    images = keras.Input(image_shape, name="images")
    x = plan.convolution(plan.widths[0], 1)(images)
    x = plan.stage(x)
    for channels in plan.widths[1:]:
        x = keras.layers.AveragePooling2D(2)(x)
        x = plan.resized(x, channels)
        x = plan.stage(x)
    # One number a channel: how much the picture agrees with a learned one.
    pixels = keras.initializers.RandomNormal(stddev=1 / plan.base)
    agreement = keras.layers.EinsumDense("bhwc,hwc->bc", plan.widths[-1], kernel_initializer=pixels)
    features = plan.normalized(agreement)(x)
    return keras.Model(images, plan.dense(1, dtype="float32")(features), name="discriminator")


class Plan(NamedTuple):
    """What all stages of a network share; `base` is the side of the smallest pictures."""

    base: int
    widths: list[int]  # channels of the stages, those of the largest pictures first
    blocks: int
    expansion: int
    cardinality: int
    spectral_normalization: bool = False

    @classmethod
    def of(cls, image_shape: ImageShape, width: int, *others: Any) -> "Plan":
        """Check the sizes and plan the stages."""
        if len(image_shape) != 3 or image_shape[0] != image_shape[1] or image_shape[2] < 1:
            raise ValueError(f"image_shape is {tuple(image_shape)}; give (side, side, channels), such as (32, 32, 1).")
        base, halvings = image_shape[0], 0
        while base > 7 and base % 2 == 0:
            base, halvings = base // 2, halvings + 1
        if base not in (4, 5, 6, 7) or not 8 <= image_shape[0] <= 128:
            raise ValueError(
                f"image_shape is {tuple(image_shape)}; the side must be 4, 5, 6 or 7 times a power of two, from 8 to "
                "128, such as 28, 32, 64, 96 or 128."
            )
        plan = cls(base, [min(width * 2**level, max(width, WIDEST)) for level in range(halvings + 1)], *others)
        for name, size in {"width": width, "blocks": plan.blocks, "expansion": plan.expansion}.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; choose a positive integer.")
        inside = [channels * plan.expansion for channels in plan.widths]
        if plan.cardinality < 1 or any(channels % plan.cardinality for channels in inside):
            raise ValueError(
                f"cardinality is {plan.cardinality}; choose a divisor of {', '.join(map(str, inside))}, which are the "
                "widths inside the blocks."
            )
        return plan

    def stage(self, x: Any) -> Any:
        """Apply all residual blocks of a stage."""
        for _ in range(self.blocks):
            x = self.block(x)
        return x

    def block(self, x: Any) -> Any:
        """Add to `(batch, height, width, channels)` what three convolutions make of it: nothing, at the start."""
        channels, inner = x.shape[-1], x.shape[-1] * self.expansion
        y = self.convolution(inner, 1, before_activation=True)(x)
        y = keras.layers.LeakyReLU(negative_slope=SLOPE)(y)
        y = self.convolution(inner, 3, before_activation=True, groups=self.cardinality)(y)
        y = keras.layers.LeakyReLU(negative_slope=SLOPE)(y)
        zero = None if self.spectral_normalization else "zeros"
        y = self.convolution(channels, 1, kernel_initializer=zero)(y)
        return keras.layers.Add()([x, y])

    def resized(self, x: Any, channels: int) -> Any:
        """Change the number of channels, where it changes from one stage to the next."""
        return x if x.shape[-1] == channels else self.convolution(channels, 1)(x)

    def convolution(
        self,
        channels: int,
        size: int,
        *,
        before_activation: bool = False,
        kernel_initializer: str | None = None,
        groups: int = 1,
    ) -> Any:
        """Return a convolution that keeps the side and, before an activation, has a bias."""
        initializer = kernel_initializer or self._initializer(before_activation)
        options = {"groups": groups, "use_bias": before_activation, "kernel_initializer": initializer}
        return self.normalized(Conv2D(channels, size, padding="same", **options))

    def dense(self, units: int, **options: Any) -> Any:
        """Return a linear map."""
        return self.normalized(
            keras.layers.Dense(units, use_bias=False, kernel_initializer=self._initializer(False), **options)
        )

    def _initializer(self, before_activation: bool) -> keras.initializers.Initializer:
        """Draw kernels that keep the variance; in blocks, less the more blocks there are (arXiv:1901.09321)."""
        depth = self.blocks * len(self.widths)
        # The exponent is that of a standard deviation, -1 / (2 * convolutions - 2), for the variance.
        variance = 2 / (1 + SLOPE**2) * depth ** (-1 / (CONVOLUTIONS - 1)) if before_activation else 1.0
        return keras.initializers.VarianceScaling(variance, mode="fan_in", distribution="untruncated_normal")

    def normalized(self, layer: Any) -> Any:
        """Return the layer, wrapped where spectral normalization was asked for."""
        return SpectralNormalization(layer, dtype=layer.dtype_policy) if self.spectral_normalization else layer
