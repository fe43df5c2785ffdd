"""A room for the command to run in, and what must hold whenever it refuses its input."""

import logging
import subprocess
import sys
import tempfile

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images
from tests.inputs import commands


@pytest.fixture(scope="session", autouse=True)
def started():
    """A backend that has started: JAX compiles what the first network takes, whatever the input."""
    kg.recipes.hinge_sngan((8, 8, 1), 8)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory of the command; its place for temporary files lies beside it."""
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("KERAS_BACKEND", keras.config.backend())
    monkeypatch.delenv("KERASGAN_DATA_DIR", raising=False)
    return tmp_path / "here"


@pytest.fixture
def script(here, capfd):
    """Run a script with arguments in this process; return its `Outcome`."""
    # TensorFlow counts how often functions of one name are traced: in all tests of this process, not in one command.
    logging.getLogger("tensorflow").addFilter(_is_not_of_the_whole_process)
    return lambda name, *arguments: commands.run_here(name, [*map(str, arguments)], capfd, here.parent)


def _is_not_of_the_whole_process(record):
    return "triggered tf.function retracing" not in record.getMessage()


@pytest.fixture
def refused(script):
    """Run a script, and hold it to all that is promised of input it cannot use; return the one line it says."""

    def run(said, name, *arguments):
        outcome = script(name, *arguments)
        assert (outcome.status, outcome.error.count("\n")) == (2, 1), outcome.error
        assert outcome.error.startswith("error: ")
        assert said in outcome.error
        assert outcome.error.rstrip("\n").isprintable()
        assert outcome.seconds < commands.MOST_SECONDS
        assert outcome.memory < commands.MOST_MEMORY
        assert outcome.changed == []
        return outcome.error

    return run


@pytest.fixture
def accepted(script):
    """Run a script to its end: the control that shows the same way open to sound input."""

    def run(name, *arguments):
        outcome = script(name, *arguments)
        assert (outcome.status, outcome.error) == (0, "")
        return outcome.output

    return run


@pytest.fixture
def process(here):
    """Run a script as a process of its own; what it says must be one line, and it must end with status 2."""

    def run(said, name, *arguments):
        before = commands.snapshot(here.parent)
        line = [sys.executable, str(commands.SCRIPTS / name), *map(str, arguments)]
        finished = subprocess.run(line, cwd=here, capture_output=True, text=True, timeout=300)
        assert (finished.returncode, finished.stderr.count("\n")) == (2, 1), finished.stderr
        assert finished.stderr.startswith("error: ") and said in finished.stderr
        assert commands.changes(before, commands.snapshot(here.parent)) == []

    return run


@pytest.fixture
def images():
    """Twenty images of 8x8 pixels, uint8."""
    return ((tiny_images(20)[..., 0] + 1) * 127.5).astype(np.uint8)


@pytest.fixture
def labels():
    return (np.arange(20) % 10).astype(np.uint8)
