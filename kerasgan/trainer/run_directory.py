"""One run on disk: where its files lie, and that no run is ever overwritten."""

import json
import re
from pathlib import Path
from typing import Any

import keras

from kerasgan.checkpoints import CheckpointStore, remove_temporaries, write_atomically
from kerasgan.layers import to_stock


class RunDirectoryError(ValueError):
    """The directory holds a run already, and nobody said to resume it; or it holds none to resume."""


class RunDirectory:
    """The files of one run.

    Args:
        path: The directory; made by `open`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.results_file = self.path / "results.json"
        self.metrics_file = self.path / "metrics.csv"
        self.report_file = self.path / "report.md"
        self.samples = self.path / "samples"
        self.tensorboard = self.path / "tensorboard"
        self.store = CheckpointStore(self.path / "checkpoints")

    def open(self, resume: bool) -> None:
        """Make the directory, or go into the one that is there to resume and delete what a kill left half written.

        Raises:
            RunDirectoryError: It holds a run and `resume` is False, or none and `resume` is True; or it is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError(f"{self.path} is a file; choose a directory for the run.")
        if resume and not self.config_file.exists():
            raise RunDirectoryError(f"{self.path} holds no run to resume; start one there without resume.")
        if not resume and self.path.exists() and any(self.path.iterdir()):
            raise RunDirectoryError(
                f"{self.path} already holds a run or other files, which are never overwritten; resume it "
                "(resume=True, --resume) or choose another directory (--run-dir)."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        if resume:
            # Not in checkpoints/: the store does that itself, before it saves.
            for directory in (self.path, self.samples):
                remove_temporaries(directory)

    def write_json(self, file: Path, content: dict[str, Any]) -> None:
        """Write one of the JSON files, whole or not at all."""
        write_atomically(file, (json.dumps(content, indent=2, default=str) + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """Return `config.json`.

        Raises:
            RunDirectoryError: There is none.
        """
        try:
            return dict(json.loads(self.config_file.read_bytes()))
        except FileNotFoundError:
            raise RunDirectoryError(f"{self.path} holds no run: it has no config.json; name a run directory.") from None

    def read_results(self) -> dict[str, Any]:
        """Return `results.json`, or nothing if it is not there yet."""
        return dict(json.loads(self.results_file.read_bytes())) if self.results_file.exists() else {}

    def export(self, name: str, network: keras.Model) -> Path:
        """Write a network in the three ways in which people expect it, of stock layers where it can be.

        `<name>.keras` holds everything; `<name>.json` the architecture, which `keras.models.model_from_json` reads, and
        `<name>.weights.h5` the weights for it. Of stock layers, none of them needs kerasgan to be loaded.

        Returns:
            The path of `<name>.keras`.
        """
        stock = to_stock(network)
        path = self.path / f"{name}.keras"
        # Keras goes by the ending of a name, so what is temporary about it stands in front.
        for final, save in ((path, stock.save), (self.path / f"{name}.weights.h5", stock.save_weights)):
            temporary = final.with_name(f".tmp-{final.name}")
            save(temporary)
            temporary.replace(final)
        architecture = json.dumps(json.loads(stock.to_json()), indent=2)
        write_atomically(self.path / f"{name}.json", f"{architecture}\n".encode())
        return path


def fresh_run_dir(parent: str | Path, name: str) -> Path:
    """Return the first of `parent/name-001`, `parent/name-002`, ... after those that exist; make nothing."""
    taken = [re.fullmatch(re.escape(name) + r"-(\d+)", path.name) for path in Path(parent).glob(f"{name}-*")]
    number = 1 + max((int(match[1]) for match in taken if match), default=0)
    return Path(parent) / f"{name}-{number:03d}"
