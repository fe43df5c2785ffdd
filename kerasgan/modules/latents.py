"""Latent vectors, and paths between them."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def great_circles(rows: int, steps: int, latent_dim: int, seed: int | None = None) -> Array:
    """Walk from one random latent to another along a great circle, where all latents are about as likely.

    Args:
        rows: Number of walks.
        steps: Latents in each, both ends included; at least 2.
        latent_dim: Length of a latent vector.
        seed: Chooses the ends; a random draw if None.

    Returns:
        Float64 array `(rows, steps, latent_dim)`.

    Raises:
        ValueError: `rows` is under 1 or `steps` under 2.

    Reference:
        White, Sampling Generative Networks (arXiv:1609.04468), section 2.1.
    """
    if rows < 1 or steps < 2:
        raise ValueError(f"rows is {rows} and steps {steps}; an interpolation needs 1 row and 2 steps at least.")
    start, end = np.random.default_rng(seed).standard_normal((2, rows, 1, latent_dim))
    lengths = np.linalg.norm(start, axis=-1, keepdims=True) * np.linalg.norm(end, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(np.sum(start * end, axis=-1, keepdims=True) / lengths, -1, 1))
    share = np.linspace(0.0, 1.0, steps)[None, :, None]
    # At 0 and pi no great circle is singled out, and latents of one number all lie there: they go straight.
    straight = np.minimum(angle, np.pi - angle) < 0.05
    angle = np.where(straight, 1.0, angle)
    arcs = (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)
    walks: Array = np.where(straight, (1 - share) * start + share * end, arcs)
    return walks
