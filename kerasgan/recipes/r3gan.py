"""R3GAN: a relativistic loss with R1 and R2, and no other stabilization."""

from typing import Any

import keras

from kerasgan.modules import GAN
from kerasgan.networks import residual
from kerasgan.recipes.deep_convolutional import ImageShape
from kerasgan.recipes.registry import recipe
from kerasgan.recipes.scheduled_adam import ScheduledAdam

CosineDecay = keras.optimizers.schedules.CosineDecay


@recipe(batch_size=64, epochs=20)
def r3gan(
    image_shape: ImageShape = (28, 28, 1),
    latent_dim: int = 64,
    *,
    width: int = 32,
    blocks: int = 1,
    expansion: int = 1,
    cardinality: int = 1,
    learning_rate: float = 2e-4,
    final_learning_rate: float = 5e-5,
    penalty_weight: float = 1.0,
    final_penalty_weight: float = 0.1,
    beta_2: float = 0.9,
    final_beta_2: float = 0.99,
    burn_in_steps: int = 4_000,
    **options: Any,
) -> GAN:
    """Build R3GAN at a size for CPUs.

    Rate, penalties and `beta_2` go from their first value to their last along half a cosine, over the burn-in.

    Args:
        image_shape: `(side, side, channels)`; side 4, 5, 6 or 7 times a power of two from 8 to 128, channels 1 or 3.
        latent_dim: Length of a latent vector.
        width: Channels at the side of the image; see `kerasgan.networks.residual`.
        blocks: Residual blocks in each stage.
        expansion: How many times wider a block is inside than outside; 2 in the paper.
        cardinality: Groups of each 3x3 convolution, which a CPU computes slowly; more than 1 in the paper.
        learning_rate: Of Adam, for both players, at the beginning.
        final_learning_rate: After the burn-in.
        penalty_weight: Of R1 and of R2, gamma in the paper, at the beginning.
        final_penalty_weight: After the burn-in.
        beta_2: Of Adam, at the beginning; `beta_1` is 0.
        final_beta_2: After the burn-in.
        burn_in_steps: Training steps; 2 million images in the paper, 256,000 here, which suits short runs.
        options: Further options of `kg.GAN`; `ema` is 0.999 unless given.

    Returns:
        A compiled GAN.

    Raises:
        ValueError: The image shape, `latent_dim` or a size is out of range.

    Reference:
        Huang et al., The GAN is dead; long live the GAN! (arXiv:2501.05441), appendix D: the values for Stacked MNIST,
        but for batch size (512), widths, groups and the length of the burn-in, which are cut to what two cores can do,
        and for the decay of `ema`, which is constant.
    """

    def burn_in(first: float, last: float) -> Any:
        return CosineDecay(first, burn_in_steps, alpha=last / first)

    sizes: dict[str, Any] = {"width": width, "blocks": blocks, "expansion": expansion, "cardinality": cardinality}
    weight = burn_in(penalty_weight, final_penalty_weight)
    options = {"loss": "relativistic", "penalties": {"r1": weight, "r2": weight}, "ema": 0.999, **options}
    gan = GAN(
        residual.generator(image_shape, latent_dim, **sizes),
        residual.discriminator(image_shape, **sizes),
        **options,
    )
    gan.compile(
        optimizer={
            player: ScheduledAdam(
                burn_in(learning_rate, final_learning_rate), beta_1=0.0, beta_2=burn_in(beta_2, final_beta_2)
            )
            for player in ("generator", "discriminator")
        }
    )
    return gan
