"""Hypothesis keeps nothing between runs: an example worth keeping becomes a row of `tests/inputs`."""

import os
import tempfile

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", tempfile.mkdtemp(prefix="kerasgan-hypothesis-"))
