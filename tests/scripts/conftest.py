import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasgan.testing import tiny_images

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
def squares(tmp_path):
    """The path of an .npz of 8x8 images, on which a DCGAN trains in seconds."""
    path = tmp_path / "squares.npz"
    images = ((tiny_images(64) + 1) * 127.5).astype("uint8")
    np.savez(path, images=images, labels=np.arange(64) % 10)
    return path
