"""What every test starts from: the same seed, and (in pyproject.toml) warnings that are errors."""

import os

import keras
import pytest

# The parity test compares two recordings; without them (plain `pytest`) it has nothing to say.
collect_ignore = [] if "KERASGAN_PARITY_JAX" in os.environ else ["cross_backend"]


@pytest.fixture(autouse=True)
def seed_everything():
    keras.utils.set_random_seed(0)
