"""Who takes part, what each needs to be installed, and whether it is."""

import importlib.util
from dataclasses import dataclass, field
from typing import Any

EXTRAS = {"jax": "jax", "tensorflow": "tensorflow", "torch": "peers", "lightning": "peers"}


@dataclass(frozen=True)
class Contestant:
    """One way of training the workload.

    Attributes:
        name: In the table.
        module: File in this folder; its `train(workload, gate, **options)` trains round after round.
        packages: What must be installed besides Keras and kerasgan.
        backend: `KERAS_BACKEND` of its process; None where Keras is not used.
        options: Given to `train`.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    backend: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def missing(self) -> str | None:
        """Return why it cannot take part, and the remedy; None if it can."""
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if not absent:
            return None
        return f'{" and ".join(absent)} not installed; pip install -e ".[{EXTRAS[absent[0]]}]"'


def of_keras(name: str, module: str, backend: str, **options: Any) -> Contestant:
    """Make a contestant that runs on a backend of Keras."""
    return Contestant(name, module, (backend,), backend, options)


def of_torch(name: str, module: str, **options: Any) -> Contestant:
    """Make a contestant that runs on PyTorch."""
    return Contestant(name, module, ("torch", "lightning"), options=options)


KERASGAN = ("kerasgan-jax", "kerasgan-tensorflow")  # those whose speed the others' is divided by
CONTESTANTS = [
    of_keras("kerasgan-jax", "kerasgan_trainer", "jax"),
    of_keras("kerasgan-tensorflow", "kerasgan_trainer", "tensorflow"),
    of_keras("by-hand-jax", "by_hand_jax", "jax"),
    of_keras("by-hand-scan-jax", "by_hand_jax", "jax", scan=True),
    of_keras("keras-jax", "keras_jax", "jax"),
    of_keras("keras-tensorflow", "keras_tensorflow", "tensorflow"),
    of_keras("tutorial-tensorflow", "tutorial_tensorflow", "tensorflow"),
    of_torch("lightning", "lightning_example"),
    of_torch("lightning-channels-last", "lightning_channels_last"),
]
IN_BFLOAT16 = [
    of_keras("kerasgan-jax-bf16", "kerasgan_trainer", "jax", precision="mixed_bfloat16"),
    of_keras("kerasgan-tensorflow-bf16", "kerasgan_trainer", "tensorflow", precision="mixed_bfloat16"),
    of_torch("lightning-channels-last-bf16", "lightning_channels_last", precision="bf16-mixed"),
]
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS + IN_BFLOAT16}
