"""What a recipe is, and the table of all of them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kerasgan.modules import GAN

Builder = Callable[..., GAN]


@dataclass(frozen=True)
class Recipe:
    """A function that builds a compiled GAN, and what it is to be trained with.

    Attributes:
        name: Of the function.
        build: Takes `(image_shape, latent_dim)`, `num_classes` if it is conditional, its hyperparameters by name, and
            any further option of `kg.GAN`.
        batch_size: Images a step.
        epochs: Passes over the data, of the size the recipe was made for.
    """

    name: str
    build: Builder
    batch_size: int
    epochs: int

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """What `build` takes by name, with its values; options of `kg.GAN` may be given besides."""
        parameters = inspect.signature(self.build).parameters.values()
        return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}

    @property
    def conditional(self) -> bool:
        """Whether it is told classes, and takes `num_classes`."""
        return "num_classes" in inspect.signature(self.build).parameters


RECIPES: dict[str, Recipe] = {}


def recipe(*, batch_size: int, epochs: int) -> Callable[[Builder], Builder]:
    """Enter a function in the table of recipes, under its name; it stays the function that it is."""

    def enter(build: Builder) -> Builder:
        RECIPES[build.__name__] = Recipe(build.__name__, build, batch_size, epochs)
        return build

    return enter


def find(name: str) -> Recipe:
    """Return the recipe called `name`.

    Raises:
        ValueError: There is no such recipe.
    """
    key = name.replace("-", "_")
    if key not in RECIPES:
        raise ValueError(f"recipe {name!r} is unknown; choose one of {', '.join(RECIPES)}.")
    return RECIPES[key]
