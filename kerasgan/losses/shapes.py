"""What keeps two tensors from broadcasting where they should be paired."""

from typing import Any


def require_same_shape(**tensors: Any) -> None:
    """Refuse two tensors that are not alike; what is not known yet passes.

    Args:
        tensors: Two of them, by the names that the error shall give them.

    Raises:
        ValueError: The shapes differ.
    """
    (first, one), (second, other) = ((name, tuple(tensor.shape)) for name, tensor in tensors.items())
    alike = len(one) == len(other) and all(None in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True))
    if not alike:
        raise ValueError(f"{first} {one} and {second} {other} differ in shape; give as many of each, alike.")
