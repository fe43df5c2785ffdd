import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def folders():
    """`{backend: folder of its recording}`."""
    named = {name: os.environ.get(f"KERASGAN_PARITY_{name.upper()}") for name in ("jax", "tensorflow")}
    assert all(named.values()), "Record first: `nox -s cross_backend` does it and passes the two folders on."
    return {name: Path(folder) for name, folder in named.items()}
