"""One run on disk: where its files lie, and that no run is ever overwritten."""

import atexit
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras

from kerasgan import backends
from kerasgan.checkpoints import CheckpointStore, DirectoryInUse, DirectoryLock, remove_temporaries, write_atomically
from kerasgan.checkpoints.files import TEMPORARY, explain, make_directory, read_file, temporary_in
from kerasgan.checkpoints.lock import LOCK
from kerasgan.layers import to_stock
from kerasgan.trainer.agreement import told_by_first

MAX_JSON_BYTES = 64 * 2**20  # A network of a thousand layers takes one.


class RunDirectoryError(ValueError):
    """The directory holds a run already, and nobody said to resume it; or it holds none to resume; or it is in use."""


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
        self._lock = DirectoryLock(self.path)

    @contextmanager
    def opened(self, resume: bool) -> Iterator["RunDirectory"]:
        """Be open for the time of a `with` block; as `open`."""
        self.open(resume)
        try:
            yield self
        finally:
            self.close()

    def open(self, resume: bool) -> None:
        """Make the directory, or go into the one that is there to resume; keep others out of it until `close`.

        What a killed trainer left half written is deleted.

        Raises:
            RunDirectoryError: It holds a run and `resume` is False, or none and `resume` is True; another trainer is
                at work in it; or it is a file.
            OSError: The disk refused; it names the path and what would help.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError(f"{self.path} is a file; choose a directory for the run.")
        # Where somebody has locked it before, the lock is asked first: who is at work there is the better answer.
        lock = self.path / LOCK
        if not lock.exists():
            try:
                self._check(resume)
            except RunDirectoryError:
                if not lock.exists():  # else another trainer came between the two questions, and it is in use
                    raise
            make_directory(self.path)
        self._acquire()
        try:
            self._check(resume)  # Again, since another trainer may have come and gone before the lock.
            # Not in checkpoints/: the store does that itself, before it saves.
            for directory in (self.path, self.samples):
                remove_temporaries(directory)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others in again; may be called twice."""
        self._lock.release()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from writing into a run that is there, for the time of a `with` block.

        Raises:
            RunDirectoryError: Another trainer is at work in it.
            OSError: The disk refused; it names the path and what would help.
        """
        self._acquire()
        try:
            yield
        finally:
            self.close()

    def _acquire(self) -> None:
        try:
            self._lock.acquire()
        except DirectoryInUse as error:
            raise RunDirectoryError(str(error)) from error

    def _check(self, resume: bool) -> None:
        """Refuse to start over a run, or to resume none."""
        if resume and not self.config_file.exists():
            raise RunDirectoryError(f"{self.path} holds no run to resume; start one there without resume.")
        if not resume and self.path.exists() and not all(map(_is_scaffold, os.listdir(self.path))):
            raise RunDirectoryError(
                f"{self.path} already holds a run or other files, which are never overwritten; resume it "
                "(resume=True, --resume) or choose another directory (--run-dir)."
            )

    def write_json(self, file: Path, content: dict[str, Any]) -> None:
        """Write one of the JSON files, whole or not at all."""
        write_atomically(file, (json.dumps(content, indent=2, default=str) + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """Return `config.json`.

        Raises:
            RunDirectoryError: There is none, or it is damaged.
        """
        if not self.config_file.exists():
            raise RunDirectoryError(f"{self.path} holds no run: it has no config.json; name a run directory.")
        return _read_json(self.config_file)

    def read_results(self) -> dict[str, Any]:
        """Return `results.json`, or nothing if it is not there yet."""
        results = _read_json(self.results_file) if self.results_file.exists() else {}
        seconds = results.get("wall_seconds", 0.0)
        if not isinstance(seconds, int | float):
            raise RunDirectoryError(f"{self.results_file}: wall_seconds is {seconds!r}, no number; restore it.")
        return results

    def export(self, name: str, network: keras.Model) -> Path:
        """Write a network in the three ways in which people expect it, of stock layers where it can be.

        `<name>.keras` holds everything; `<name>.json` the architecture, which `keras.models.model_from_json` reads, and
        `<name>.weights.h5` the weights for it. Of stock layers, none of them needs kerasgan to be loaded.

        Returns:
            The path of `<name>.keras`.

        Raises:
            OSError: The disk refused; it names the file and what would help. Each file is the old one or the new one.
        """
        stock = to_stock(network)
        path = self.path / f"{name}.keras"
        temporary = temporary_in(self.path)
        temporary = temporary.with_name(f"{temporary.name}.keras")  # Keras goes by the ending of a name
        try:
            stock.save(temporary)
            archive = temporary.read_bytes()
        except OSError as error:
            raise OSError(error.errno, f"not written: {explain(error)}", str(path)) from error
        finally:
            with suppress(OSError):
                temporary.unlink()
        # The same bytes that `save_weights` writes. It lets HDF5 write to the disk itself, and where that is full, HDF5
        # raises errors out of destructors, which nobody can catch.
        with zipfile.ZipFile(io.BytesIO(archive)) as parts:
            weights = parts.read("model.weights.h5")
        architecture = json.dumps(json.loads(stock.to_json()), indent=2)
        write_atomically(path, archive)
        write_atomically(self.path / f"{name}.weights.h5", weights)
        write_atomically(self.path / f"{name}.json", f"{architecture}\n".encode())
        return path


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_file(file, MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise RunDirectoryError(f"{file} cannot be read ({error}); restore it, or start a new run.") from error
    if not isinstance(content, dict):
        raise RunDirectoryError(f"{file} holds a {type(content).__name__}, not an object; restore it.")
    return content


def fresh_run_dir(parent: str | Path, name: str) -> Path:
    """Make and return the first of `parent/name-001`, `parent/name-002`, ... after those that exist.

    It is there at once, so that another process that asks at the same moment gets the next. What is still empty when
    this process ends is deleted. Processes that train together (`kg.connect`) get the one that process 0 has made.

    Raises:
        OSError: The disk refused; it names the path and what would help.
    """
    path = told_by_first(str(_fresh(Path(parent), name)) if backends.process_index() == 0 else "")
    return Path(path)


def _fresh(parent: Path, name: str) -> Path:
    taken = [re.fullmatch(re.escape(name) + r"-(\d+)", path.name) for path in parent.glob("*")]
    number = 1 + max((int(match[1]) for match in taken if match), default=0)
    made = [directory.absolute() for directory in (parent, *parent.parents) if not directory.exists()]
    while True:
        path = parent / f"{name}-{number:03d}"
        try:
            make_directory(path, exist_ok=False)
        except FileExistsError:
            number += 1
            continue
        atexit.register(_remove_if_empty, [path.absolute(), *made], os.getpid())
        return path


def _remove_if_empty(directories: list[Path], maker: int) -> None:
    if os.getpid() == maker:  # and not a forked child of it
        with suppress(OSError):
            for directory in directories:
                directory.rmdir()


def _is_scaffold(name: str) -> bool:
    """Tell whether only a trainer at work leaves this name, or one that died before its run began."""
    return name == LOCK or name.startswith(TEMPORARY)
