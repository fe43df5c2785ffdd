"""Small data sets, written the way users have them."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 6, 5), np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    return (np.arange(20) % 10).astype(np.uint8)


@pytest.fixture
def write_idx_folder(images, labels):
    def write(folder: Path, *, compressed: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for split, count in (("train", 20), ("t10k", 10)):
            for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
                content = idx_bytes(array[:count])
                name = f"{split}-{kind}-ubyte"
                if compressed:
                    (folder / f"{name}.gz").write_bytes(gzip.compress(content))
                else:
                    (folder / name).write_bytes(content)
        return folder

    return write
