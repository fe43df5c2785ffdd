"""Named sets of hyperparameters for `GAN.dcgan`, with where they come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DCGANRecipe:
    """What to train a DCGAN with.

    Attributes:
        learning_rate: Of Adam, for both players.
        beta_1: Of Adam, for both players.
        dropout: Share dropped after each convolution of the discriminator.
        batch_size: Images a step.
        epochs: Passes over the data, of the size the recipe was made for.
        source: Who chose these.
    """

    learning_rate: float
    beta_1: float
    dropout: float
    batch_size: int
    epochs: int
    source: str


DCGAN_RECIPES = {
    "workshop": DCGANRecipe(
        learning_rate=1e-4,
        beta_1=0.9,
        dropout=0.3,
        batch_size=256,
        epochs=50,
        source='TensorFlow tutorial "Deep Convolutional Generative Adversarial Network", for MNIST on a GPU',
    ),
    "small_steps": DCGANRecipe(
        learning_rate=4e-4,
        beta_1=0.5,  # Radford et al. (arXiv:1511.06434): 0.9 oscillates
        dropout=0.0,
        batch_size=32,
        epochs=40,
        source="measured here, on 1,500 digits: the most readable ones within a few minutes on two CPU cores",
    ),
}


def dcgan_recipe(name: str) -> DCGANRecipe:
    """Return the recipe called `name`.

    Raises:
        ValueError: There is no such recipe.
    """
    if name not in DCGAN_RECIPES:
        raise ValueError(f"recipe {name!r} is unknown; choose one of {', '.join(DCGAN_RECIPES)}.")
    return DCGAN_RECIPES[name]
