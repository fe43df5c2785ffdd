"""What callbacks ask of a model that draws images: `generate(count, seed=...)`, perhaps with `labels`."""

import inspect
from typing import Any


def refuse_without_generate(model: Any, purpose: str) -> None:
    """Refuse a model that cannot be asked for so many images of a seed.

    Args:
        model: The callback's.
        purpose: What the callback wants them for, as in "ImageGrid can draw".

    Raises:
        TypeError: It has no such method, or one that takes something else.
    """
    method = getattr(model, "generate", None)
    if callable(method) and _takes(method, "seed"):
        return
    found = f"generate{inspect.signature(method)}, and no" if callable(method) else "no method"
    raise TypeError(
        f"{type(model).__name__} has {found} generate(count, seed=...), so {purpose} nothing; leave the callback out, "
        "or define the method to return images in [-1, 1]."
    )


def takes_labels(model: Any) -> bool:
    """Whether a model has classes, and can be asked for some."""
    return getattr(model, "num_classes", None) is not None and _takes(model.generate, "seed", "labels")


def _takes(method: Any, *options: str) -> bool:
    try:
        inspect.signature(method).bind(1, **dict.fromkeys(options))
    except TypeError:
        return False
    return True
