import atexit
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasgan.testing import tiny_images
from tests.inputs import commands

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def command():
    """The command line of a script with arguments."""
    return lambda name, *arguments: [sys.executable, str(SCRIPTS / name), *map(str, arguments)]


@pytest.fixture
def script(command, tmp_path):
    """Run a script in a temporary directory, as a user would; return the finished process."""
    return lambda *line: subprocess.run(command(*line), cwd=tmp_path, capture_output=True, text=True, timeout=300)


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    """Run a script in this process, which has imported the backend already; return what `script` returns.

    For what is the same in both: each script has a test that runs it as a process of its own.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", keras.config.backend())
    monkeypatch.delenv("KERASGAN_DATA_DIR", raising=False)
    at_exit, register = [], atexit.register

    def note(function, *arguments):
        ours = function.__module__.startswith("kerasgan")
        return at_exit.append((function, arguments)) if ours else register(function, *arguments)

    monkeypatch.setattr(atexit, "register", note)

    def run(name, *arguments):
        ended = commands.run_here(name, [*map(str, arguments)], capfd, tmp_path)
        while at_exit:  # where the process would end
            function, given = at_exit.pop()
            function(*given)
        return subprocess.CompletedProcess([name, *arguments], ended.status, ended.output, ended.error)

    return run


@pytest.fixture
def squares(tmp_path):
    """The path of an .npz of 8x8 images, on which a DCGAN trains in seconds."""
    path = tmp_path / "squares.npz"
    images = ((tiny_images(64) + 1) * 127.5).astype("uint8")
    np.savez(path, images=images, labels=np.arange(64) % 10)
    return path
