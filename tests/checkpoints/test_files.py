"""A single file is the old one or the new one, whatever happens, and what a kill leaves beside it can be deleted."""

import errno
from contextlib import suppress
from pathlib import Path

import pytest

from kerasgan.checkpoints import files, remove_temporaries, write_atomically
from tests.checkpoints.disks import Dead, FailingDisk, entries


def test_a_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    for data in (b"first", b"", b"x" * 100_000):
        write_atomically(tmp_path / "results.json", data)
        assert (tmp_path / "results.json").read_bytes() == data
    assert entries(tmp_path) == ["results.json"]


def test_a_file_whose_writing_fails_keeps_its_old_bytes(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    for nth in range(1, 20):
        write_atomically(file, b"the old bytes")
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, nth, OSError(errno.ENOSPC, "No space left on device"), dead=False)
            try:
                write_atomically(file, b"the new ones")
            except OSError as error:
                assert (error.errno, error.filename) == (errno.ENOSPC, str(file))
                assert "free some space" in str(error)
        assert file.read_bytes() in (b"the old bytes", b"the new ones")
        assert entries(tmp_path) == ["results.json"] or disk.failed
        for name in entries(tmp_path)[:-1]:  # Only where removing the temporary is what failed.
            (tmp_path / name).unlink()
        if not disk.failed:
            return
    raise AssertionError("writing never came to an end")


def test_a_kill_while_writing_leaves_temporaries_that_can_be_removed(tmp_path: Path) -> None:
    file, leftovers = tmp_path / "results.json", 0
    for nth in range(1, 20):
        write_atomically(file, b"the old bytes")
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, nth, Dead(), dead=True)
            with suppress(Dead):
                write_atomically(file, b"the new ones")
        beside = [tmp_path / name for name in entries(tmp_path) if name != "results.json"]
        leftovers += len(beside)
        assert remove_temporaries(tmp_path) == beside
        assert entries(tmp_path) == ["results.json"]
        assert file.read_bytes() in (b"the old bytes", b"the new ones")
        if not disk.failed:
            assert leftovers >= 3  # or nothing was there to be removed
            return
    raise AssertionError("writing never came to an end")


def test_only_temporaries_of_that_very_directory_are_removed(tmp_path: Path) -> None:
    for path in ("config.json", ".hidden", "kept.tmp-1-ab", "samples/.tmp-1-ab", ".tmp-2-cd/half"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / ".tmp-3-ef").symlink_to(tmp_path / "samples")
    assert [path.name for path in remove_temporaries(tmp_path)] == [".tmp-2-cd", ".tmp-3-ef"]
    assert entries(tmp_path) == [".hidden", "config.json", "kept.tmp-1-ab", "samples"]
    assert entries(tmp_path / "samples") == [".tmp-1-ab"]
    assert remove_temporaries(tmp_path / "missing") == []
    assert not (tmp_path / "missing").exists()


def test_a_temporary_that_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / ".tmp-1-ab").write_text("")
    monkeypatch.setattr(files, "delete", refuse)
    with pytest.raises(OSError, match="not cleaned up: Read-only file system; make the directory writable") as caught:
        remove_temporaries(tmp_path)
    assert (caught.value.errno, caught.value.filename) == (errno.EROFS, str(tmp_path / ".tmp-1-ab"))
