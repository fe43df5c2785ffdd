"""What a discriminator and a generator minimize, as pure functions on logits of any shape."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops


def discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Cross-entropy of calling real images real plus that of calling generated ones fake.

    Args:
        real_logits: Scores of dataset images, `(batch, 1)`, unbounded; higher means more real.
        fake_logits: Scores of generated images, same shape.

    Returns:
        Scalar, the sum of the two means over the batch; `2 log 2` for an undecided discriminator.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Goodfellow et al., Generative Adversarial Nets (arXiv:1406.2661), eq. 1.
    """
    _require_same_shape(real_logits, fake_logits)
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


def generator_loss(fake_logits: Any) -> Any:
    """Cross-entropy of having generated images called real: the non-saturating loss.

    Args:
        fake_logits: Scores of generated images, `(batch, 1)`, unbounded.

    Returns:
        Scalar mean over the batch; `log 2` against an undecided discriminator.

    Reference:
        Goodfellow et al., Generative Adversarial Nets (arXiv:1406.2661), section 3.
    """
    return ops.mean(ops.softplus(-fake_logits))


def hinge_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Penalize logits on the wrong side of a margin of one.

    Args:
        real_logits: Scores of dataset images, `(batch, 1)`, unbounded.
        fake_logits: Scores of generated images, same shape.

    Returns:
        Scalar, the sum of the two means over the batch; zero once every margin is met.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Lim and Ye, Geometric GAN (arXiv:1705.02894), eq. 16.
    """
    _require_same_shape(real_logits, fake_logits)
    return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))


def hinge_generator_loss(fake_logits: Any) -> Any:
    """Raise the scores of generated images without bound.

    Args:
        fake_logits: Scores of generated images, `(batch, 1)`, unbounded.

    Returns:
        Scalar, minus the mean score.

    Reference:
        Lim and Ye, Geometric GAN (arXiv:1705.02894), eq. 17.
    """
    return -ops.mean(fake_logits)


def least_squares_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Pull scores of real images to one and those of generated ones to zero.

    Args:
        real_logits: Scores of dataset images, `(batch, 1)`, unbounded.
        fake_logits: Scores of generated images, same shape.

    Returns:
        Scalar, half the sum of the two mean squares.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Mao et al., Least Squares Generative Adversarial Networks (arXiv:1611.04076), eq. 9.
    """
    _require_same_shape(real_logits, fake_logits)
    return 0.5 * (ops.mean(ops.square(real_logits - 1.0)) + ops.mean(ops.square(fake_logits)))


def least_squares_generator_loss(fake_logits: Any) -> Any:
    """Pull scores of generated images to one.

    Args:
        fake_logits: Scores of generated images, `(batch, 1)`, unbounded.

    Returns:
        Scalar, half the mean square distance from one.

    Reference:
        Mao et al., Least Squares Generative Adversarial Networks (arXiv:1611.04076), eq. 9.
    """
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


class AdversarialLoss(NamedTuple):
    """The two sides of one game."""

    discriminator: Callable[[Any, Any], Any]
    generator: Callable[[Any], Any]


ADVERSARIAL_LOSSES = {
    "non_saturating": AdversarialLoss(discriminator_loss, generator_loss),
    "hinge": AdversarialLoss(hinge_discriminator_loss, hinge_generator_loss),
    "least_squares": AdversarialLoss(least_squares_discriminator_loss, least_squares_generator_loss),
}


def adversarial_loss(name: str) -> AdversarialLoss:
    """Return the pair of losses called `name`.

    Raises:
        ValueError: There is no such pair.
    """
    if name not in ADVERSARIAL_LOSSES:
        raise ValueError(f"loss {name!r} is unknown; choose one of {', '.join(ADVERSARIAL_LOSSES)}.")
    return ADVERSARIAL_LOSSES[name]


def _require_same_shape(real_logits: Any, fake_logits: Any) -> None:
    real, fake = tuple(real_logits.shape), tuple(fake_logits.shape)
    known = len(real) == len(fake) and all(None in pair or pair[0] == pair[1] for pair in zip(real, fake, strict=True))
    if not known:
        raise ValueError(f"real_logits {real} and fake_logits {fake} differ in shape; score as many of each, alike.")
