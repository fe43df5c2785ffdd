"""Pure functions on logits, and on their gradients."""

from kerasgan.losses.adversarial import (
    discriminator_loss,
    generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_generator_loss,
    relativistic_discriminator_loss,
    relativistic_generator_loss,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)
from kerasgan.losses.pairs import ADVERSARIAL_LOSSES, AdversarialLoss, adversarial_loss
from kerasgan.losses.penalties import (
    GRADIENT_PENALTIES,
    GradientPenalty,
    gradient_penalty,
    interpolates,
    noisy_neighbours,
    one_centered_penalty,
    refuse_float16,
    zero_centered_penalty,
)

__all__ = [
    "ADVERSARIAL_LOSSES",
    "GRADIENT_PENALTIES",
    "AdversarialLoss",
    "GradientPenalty",
    "adversarial_loss",
    "discriminator_loss",
    "generator_loss",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "interpolates",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "minimax_generator_loss",
    "noisy_neighbours",
    "one_centered_penalty",
    "refuse_float16",
    "relativistic_discriminator_loss",
    "relativistic_generator_loss",
    "wasserstein_discriminator_loss",
    "wasserstein_generator_loss",
    "zero_centered_penalty",
]
