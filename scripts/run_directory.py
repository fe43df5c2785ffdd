"""What several scripts ask of a run directory."""

from pathlib import Path
from typing import Any


def load_gan(run_dir: str | Path, step: int | None) -> Any:
    """Return the GAN of a run, of its newest checkpoint or of `step`.

    Raises:
        ValueError: It is the run of something else.
    """
    import kerasgan as kg

    gan = kg.load_run(run_dir, step=step)
    if not isinstance(gan, kg.GAN):
        raise ValueError(f"{run_dir} is the run of a {type(gan).__name__}, not of a GAN; name one of train_gan.py.")
    return gan
