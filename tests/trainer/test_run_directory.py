"""The files of one run: what is left half written goes when the run is resumed."""

import pytest

from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError


@pytest.fixture
def killed_run(tmp_path):
    """A run whose process died while writing, in each of its directories."""
    run = RunDirectory(tmp_path / "run")
    run.open(resume=False)
    run.write_json(run.config_file, {"seed": 0})
    for directory in (run.path, run.samples, run.store.directory, run.tensorboard):
        directory.mkdir(exist_ok=True)
        (directory / ".tmp-1-ab").write_bytes(b"half")
        (directory / "kept").write_bytes(b"whole")
    return run


def test_resuming_deletes_what_a_kill_left_half_written(killed_run):
    killed_run.open(resume=True)
    assert sorted(path.name for path in killed_run.path.iterdir()) == [
        "checkpoints", "config.json", "kept", "samples", "tensorboard",
    ]  # fmt: skip
    assert [path.name for path in killed_run.samples.iterdir()] == ["kept"]
    # Where others look after their own.
    for directory in (killed_run.store.directory, killed_run.tensorboard):
        assert sorted(path.name for path in directory.iterdir()) == [".tmp-1-ab", "kept"]


def test_a_run_that_is_refused_is_not_touched(killed_run):
    with pytest.raises(RunDirectoryError):
        killed_run.open(resume=False)
    assert (killed_run.path / ".tmp-1-ab").exists()


def test_a_run_without_samples_is_resumed(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.open(resume=False)
    run.write_json(run.config_file, {})
    run.open(resume=True)
    assert [path.name for path in run.path.iterdir()] == ["config.json"]
