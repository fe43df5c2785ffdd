"""What all tests of checkpoints start from: a disk that need not be waited for."""

import os

import pytest


@pytest.fixture(autouse=True)
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a power cut tells flushed from unflushed, and no test can make one; a busy disk takes minutes.

    The processes that are killed below flush in earnest.
    """
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
