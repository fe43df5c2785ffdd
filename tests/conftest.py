"""What every test starts from: the same seed, and (in pyproject.toml) warnings that are errors."""

import os

import keras
import pytest

# The parity test compares two recordings; without them (plain `pytest`) it has nothing to say. Running the notebooks
# takes minutes. The nox sessions `cross_backend` and `notebooks` ask for them.
asked_for = {"cross_backend": "KERASGAN_PARITY_JAX", "notebooks/test_notebooks.py": "KERASGAN_NOTEBOOKS"}
collect_ignore = [path for path, variable in asked_for.items() if variable not in os.environ]


@pytest.fixture(autouse=True)
def seed_everything():
    keras.utils.set_random_seed(0)
