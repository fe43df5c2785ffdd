"""What a discriminator and a generator minimize, as pure functions on logits of any shape."""

from typing import Any

from keras import ops

from kerasgan.losses.shapes import require_same_shape


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
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
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
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
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
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
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


def minimax_generator_loss(fake_logits: Any) -> Any:
    """Minus the cross-entropy of having generated images called fake: the saturating loss.

    Its slope fades where the discriminator is sure of a fake, which is where a generator begins; kept for comparison.

    Args:
        fake_logits: Scores of generated images, `(batch, 1)`, unbounded.

    Returns:
        Scalar, the mean log-probability of fake, at most zero; `-log 2` against an undecided discriminator.

    Reference:
        Goodfellow et al., Generative Adversarial Nets (arXiv:1406.2661), eq. 1.
    """
    return -ops.mean(ops.softplus(fake_logits))


def wasserstein_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Raise the scores of real images above those of generated ones, without bound.

    Minus an estimate of the Wasserstein distance, but only for a critic of bounded slope: it needs
    `GRADIENT_PENALTIES["wgan_gp"]`, `kerasgan.layers.WeightClip` or spectral normalization beside it.

    Args:
        real_logits: Scores of dataset images, `(batch, 1)`, unbounded.
        fake_logits: Scores of generated images, same shape.

    Returns:
        Scalar, the mean score of the fakes minus that of the real images.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Arjovsky et al., Wasserstein GAN (arXiv:1701.07875), algorithm 1.
    """
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(fake_logits: Any) -> Any:
    """Raise the scores of generated images without bound.

    Args:
        fake_logits: Scores of generated images, `(batch, 1)`, unbounded.

    Returns:
        Scalar, minus the mean score.

    Reference:
        Arjovsky et al., Wasserstein GAN (arXiv:1701.07875), algorithm 1.
    """
    return -ops.mean(fake_logits)


def relativistic_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Cross-entropy of telling which image of a pair, one real and one generated, is the real one.

    Args:
        real_logits: Scores of dataset images, `(batch, 1)`, unbounded.
        fake_logits: Scores of generated images, same shape; row `i` is paired with row `i`.

    Returns:
        Scalar mean over the pairs; `log 2` where both are scored alike. A constant added to all scores changes nothing.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Jolicoeur-Martineau, The Relativistic Discriminator (arXiv:1807.00734); Huang et al., The GAN Is Dead; Long Live
        the GAN! (arXiv:2501.05441), eq. 2.
    """
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
    return ops.mean(ops.softplus(fake_logits - real_logits))


def relativistic_generator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Cross-entropy of having the generated image of each pair taken for the real one.

    Args:
        real_logits: As in `relativistic_discriminator_loss`.
        fake_logits: As there.

    Returns:
        Scalar mean over the pairs; `log 2` where both are scored alike.

    Raises:
        ValueError: The shapes differ.

    Reference:
        As there.
    """
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
    return ops.mean(ops.softplus(real_logits - fake_logits))
