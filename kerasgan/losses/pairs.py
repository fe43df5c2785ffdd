"""The adversarial losses by name, in pairs with one signature."""

from collections.abc import Callable
from typing import Any, NamedTuple

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

Loss = Callable[[Any, Any], Any]


class AdversarialLoss(NamedTuple):
    """The two sides of one game, each a function of `(real_logits, fake_logits)`."""

    discriminator: Loss
    generator: Loss
    # Where it is not, the generator ignores its real_logits, and an update of the generator alone may pass None.
    relativistic: bool = False


def _of_fakes(loss: Callable[[Any], Any]) -> Loss:
    """Give a generator's loss the signature of the pairs."""
    return lambda real_logits, fake_logits: loss(fake_logits)


ADVERSARIAL_LOSSES = {
    "non_saturating": AdversarialLoss(discriminator_loss, _of_fakes(generator_loss)),
    "hinge": AdversarialLoss(hinge_discriminator_loss, _of_fakes(hinge_generator_loss)),
    "least_squares": AdversarialLoss(least_squares_discriminator_loss, _of_fakes(least_squares_generator_loss)),
    "minimax": AdversarialLoss(discriminator_loss, _of_fakes(minimax_generator_loss)),
    "wasserstein": AdversarialLoss(wasserstein_discriminator_loss, _of_fakes(wasserstein_generator_loss)),
    "relativistic": AdversarialLoss(relativistic_discriminator_loss, relativistic_generator_loss, relativistic=True),
}


def adversarial_loss(name: str) -> AdversarialLoss:
    """Return the pair of losses called `name`.

    Raises:
        ValueError: There is no such pair.
    """
    if name not in ADVERSARIAL_LOSSES:
        raise ValueError(f"loss {name!r} is unknown; choose one of {', '.join(ADVERSARIAL_LOSSES)}.")
    return ADVERSARIAL_LOSSES[name]
