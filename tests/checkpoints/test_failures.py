"""All the failures of failures.py: whatever strikes, the checkpoint found afterwards is the older or the newer one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kerasgan.checkpoints import CheckpointStore
from tests.checkpoints import failures
from tests.checkpoints.disks import contents


def test_after_any_failure_of_the_disk_the_older_or_the_newer_checkpoint_is_found() -> None:
    finished = subprocess.run(
        [sys.executable, str(Path(failures.__file__))], capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, finished.stderr + finished.stdout
    table = json.loads(finished.stdout)
    assert {outcome for counts in table.values() for outcome in counts} == {"older", "newer"}
    # Each kind struck as often as it should have, on both sides of the moment that decides.
    assert table["bit flips"] == {"older": 500}
    assert table["truncations"] == {"older": 100}
    for action in ("save", "replace"):
        assert table[f"{action}: full after every 1/20 of its bytes"] == {"older": 20, "newer": 1}
    for action, calls in (("save", 12), ("replace", 20), ("prune", 6)):
        deaths = table[f"{action}: death at every call"]
        assert sum(deaths.values()) >= calls and len(deaths) == 2, deaths


def test_the_eyes_of_that_test_see_a_torn_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: without its digests, damage passes for a checkpoint or for none."""
    store = failures.prepared(tmp_path / "store")
    assert failures.found_in(store, failures.step_two) == "older"
    store.save(2, contents(2, 1)[0], contents(2)[1])  # arrays of one save with the metadata of another
    assert failures.found_in(store, failures.step_two) == "torn"
    (tmp_path / "store" / "step-000000002" / "manifest.json").unlink()
    assert failures.found_in(store, failures.step_two) == "torn"
    monkeypatch.setattr(CheckpointStore, "newest_good", lambda self: (self.load(1), []))
    assert failures.damages(tmp_path / "damaged", failures.flip, 3) == {"torn": 3}
