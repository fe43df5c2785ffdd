"""Who takes part, what each needs to be installed, and whether it is."""

import importlib.util
from dataclasses import dataclass, field
from typing import Any

EXTRAS = {"jax": "jax", "tensorflow": "tensorflow", "torch": "bench", "lightning": "bench", "grain": "stream"}


@dataclass(frozen=True)
class Contestant:
    """One way of doing the work.

    Attributes:
        name: In the table.
        functions: `{kind of workload: "file.function"}`, the file being one of this folder; `function(workload, gate,
            **options)` does round after round. In kinds that are not named it takes no part.
        packages: What must be installed besides Keras and kerasgan.
        backend: `KERAS_BACKEND` of its process; None where Keras is not used.
        options: Given to the function.
    """

    name: str
    functions: dict[str, str]
    packages: tuple[str, ...]
    backend: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def missing(self) -> str | None:
        """Return why it cannot take part, and the remedy; None if it can."""
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if not absent:
            return None
        return f'{" and ".join(absent)} not installed; pip install -e ".[{EXTRAS[absent[0]]}]"'


def of_keras(name: str, backend: str, functions: dict[str, str], *packages: str, **options: Any) -> Contestant:
    """Make a contestant that runs on a backend of Keras."""
    return Contestant(name, functions, (backend, *packages), backend, options)


def of_torch(name: str, functions: dict[str, str], **options: Any) -> Contestant:
    """Make a contestant that runs on PyTorch."""
    return Contestant(name, functions, ("torch", "lightning"), options=options)


KERASGAN = ("kerasgan-jax", "kerasgan-tensorflow")  # those whose speed the others' is divided by
_TRAINER = {"gan": "kerasgan_trainer.train", "classifier": "kerasgan_trainer.train"}
# Its batches are made by NumPy, or by grain: the same work on every backend.
_EITHER = "tensorflow" if importlib.util.find_spec("jax") is None else "jax"
CONTESTANTS = [
    of_keras("kerasgan-jax", "jax", {**_TRAINER, "input": "kerasgan_resident.train"}),
    of_keras("kerasgan-tensorflow", "tensorflow", {**_TRAINER, "input": "kerasgan_resident.train"}),
    of_keras("kerasgan-host", _EITHER, {"input": "kerasgan_batches.in_memory"}),
    of_keras("kerasgan-stream", _EITHER, {"input": "kerasgan_batches.streamed"}, "grain"),
    of_keras("by-hand-jax", "jax", {"gan": "by_hand_jax.train"}),
    of_keras("by-hand-scan-jax", "jax", {"gan": "by_hand_jax.train"}, scan=True),
    of_keras("keras-jax", "jax", {"gan": "keras_jax.train", "classifier": "keras_classifier.train"}),
    of_keras(
        "keras-tensorflow", "tensorflow", {"gan": "keras_tensorflow.train", "classifier": "keras_classifier.train"}
    ),
    of_keras(
        "tutorial-tensorflow", "tensorflow", {"gan": "tutorial_tensorflow.train", "input": "tutorial_tensorflow.read"}
    ),
    of_keras("keras-folder", "tensorflow", {"input": "keras_folder.read"}),
    of_torch(
        "lightning",
        {
            "gan": "lightning_example.train",
            "classifier": "lightning_classifier.train",
            "input": "lightning_example.read",
        },
    ),
    of_torch(
        "lightning-channels-last", {"gan": "lightning_channels_last.train", "input": "lightning_channels_last.read"}
    ),
]
IN_BFLOAT16 = [
    of_keras("kerasgan-jax-bf16", "jax", _TRAINER, precision="mixed_bfloat16"),
    of_keras("kerasgan-tensorflow-bf16", "tensorflow", _TRAINER, precision="mixed_bfloat16"),
    of_torch("lightning-channels-last-bf16", {"gan": "lightning_channels_last.train"}, precision="bf16-mixed"),
]
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS + IN_BFLOAT16}


def taking_part(kind: str, in_bfloat16: bool = False) -> list[Contestant]:
    """Return those who do that kind of work."""
    return [one for one in CONTESTANTS + (IN_BFLOAT16 if in_bfloat16 else []) if kind in one.functions]
