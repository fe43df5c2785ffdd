"""Runs to go on with, whose files are damaged, forged, or of something else."""

import errno
import hashlib
import json
import os
import runpy
import shutil
import sys

import keras
import numpy as np
import pytest

from kerasgan.checkpoints import CheckpointStore, store
from kerasgan.checkpoints.format import encode, render_manifest
from kerasgan.testing import tiny_images
from tests.inputs import commands

LINE = ["--dataset", "good.npz", "--model", "dense", "--batch-size", "4", "--val-size", "4", "--run-dir", "run"]
STEP = "step-000000004"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one epoch, as the script leaves it, with its data."""
    place = tmp_path_factory.mktemp("trained")
    images = ((tiny_images(20)[..., 0] + 1) * 127.5).astype(np.uint8)
    np.savez(place / "good.npz", images=images, labels=np.arange(20) % 10)
    with pytest.MonkeyPatch.context() as patch, commands.signals_kept():
        patch.chdir(place)
        patch.setenv("KERAS_BACKEND", keras.config.backend())
        patch.syspath_prepend(commands.SCRIPTS)
        patch.setattr(sys, "argv", ["train_classifier.py", *LINE, "--epochs", "1"])
        runpy.run_path(str(commands.SCRIPTS / "train_classifier.py"), run_name="__main__")
    return place


@pytest.fixture
def run(trained, here):
    """A copy of that run in the working directory, for the rows to spoil."""
    shutil.copytree(trained, here, dirs_exist_ok=True)
    assert [path.name for path in (here / "run/checkpoints").glob("step-*")] == [STEP]
    return here / "run"


def manifest(change):
    """Change the bytes of the manifest."""

    def spoil(run):
        file = run / "checkpoints" / STEP / "manifest.json"
        file.write_bytes(change(file.read_bytes()))

    return spoil


def state(change):
    """Change the bytes of the state, and let the manifest vouch for them, as someone who means harm would."""

    def spoil(run):
        folder = run / "checkpoints" / STEP
        content = change((folder / "state.safetensors").read_bytes())
        fields = json.loads((folder / "manifest.json").read_bytes())
        del fields["manifest_sha256"]
        fields["state"] |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "state.safetensors").write_bytes(content)
        (folder / "manifest.json").write_bytes(render_manifest(fields))

    return spoil


def header(change):
    """Change what the header of the state says."""

    def rewritten(content):
        length = int.from_bytes(content[:8], "little")
        fields = json.loads(content[8 : 8 + length])
        change(fields)
        text = json.dumps(fields).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + length :]

    return state(rewritten)


def fields(**changes):
    """Change fields of the manifest, whose digest is made right again."""

    def rewritten(content):
        found = json.loads(content)
        del found["manifest_sha256"]
        found["metadata"] |= changes.pop("metadata", {})
        found["state"] |= changes.pop("state", {})
        return render_manifest(found | changes)

    return manifest(rewritten)


def arrays(change):
    """Change the arrays, and write them as a checkpoint is written."""

    def spoil(run):
        found = CheckpointStore(run / "checkpoints").load()
        kept = dict(found.arrays)
        change(kept)
        content, description = encode(found.step, kept, found.metadata)
        (found.path / "state.safetensors").write_bytes(content)
        (found.path / "manifest.json").write_bytes(description)

    return spoil


def of_another_model(run):
    found = CheckpointStore(run / "checkpoints").load()
    content, description = encode(found.step, {"player/generator/0000": np.zeros(3, np.float32)}, found.metadata)
    (found.path / "state.safetensors").write_bytes(content)
    (found.path / "manifest.json").write_bytes(description)


def replaced(name, make):
    def spoil(run):
        file = run / "checkpoints" / STEP / name
        file.unlink()
        make(file)

    return spoil


def first_two(entries):
    return [entry for name, entry in sorted(entries.items()) if name != "__metadata__" and entry["shape"]][:2]


def overlapping(entries):
    one, other = first_two(entries)
    other["data_offsets"] = one["data_offsets"]


def of_negative_shape(entries):
    first_two(entries)[0]["shape"] = [-1, -2]


def sparse(path):
    with path.open("wb") as file:
        file.truncate(2**40)


WEIGHT = "player/network/0000"
DEEP = b"[" * 100_000 + b"]" * 100_000

ROWS = {
    "manifest not JSON": (manifest(lambda _: b"hello"), "manifest.json: Expecting value"),
    "manifest 100,000 deep": (manifest(lambda _: DEEP), "manifest.json: maximum recursion depth exceeded"),
    "metadata 100,000 deep": (manifest(lambda old: old.replace(b'"batch": 0', b'"batch": ' + DEEP)), "recursion depth"),
    "manifest empty": (manifest(lambda _: b""), "manifest.json: Expecting value"),
    "manifest a number": (manifest(lambda _: b"7"), "manifest.json: "),
    "manifest cut off": (manifest(lambda old: old[:-40]), "manifest.json: "),
    "manifest changed": (manifest(lambda old: old.replace(b'"epoch": 1', b'"epoch": 0')), "was changed after it was"),
    "manifest of a terabyte": (replaced("manifest.json", sparse), "bytes and at most 16777216 were expected"),
    "manifest a pipe": (replaced("manifest.json", os.mkfifo), "manifest.json: is not a file"),
    "manifest a loop": (replaced("manifest.json", lambda file: file.symlink_to(file)), "manifest.json: "),
    "manifest missing": (replaced("manifest.json", lambda file: None), "manifest.json: is missing"),
    "newer version": (fields(format_version=2), "has format version 2 and this kerasgan reads 1; update kerasgan"),
    "a step that disagrees": (fields(step=9), "says step 9 and its directory says 4"),
    "negative size": (fields(state={"size": -1}), "at most -1 were expected"),
    "size of a terabyte": (fields(state={"size": 2**40}), "and its manifest says 1099511627776"),
    "dtype of objects": (fields(state={"dtypes": {WEIGHT: "object"}}), "state.safetensors: "),
    "state missing": (replaced("state.safetensors", lambda file: None), "state.safetensors: is missing"),
    "state of a terabyte": (replaced("state.safetensors", sparse), "has 1099511627776 bytes and at most"),
    "state a pipe": (replaced("state.safetensors", os.mkfifo), "state.safetensors: is not a file"),
    "header longer than the file": (state(lambda old: b"\xff\xff\xff\x7f" + old[4:]), "its header claims"),
    "header not JSON": (state(lambda old: old[:8] + b"x" * (len(old) - 8)), "state.safetensors: "),
    "state cut off": (state(lambda old: old[:-100]), "state.safetensors: "),
    "overlapping offsets": (header(overlapping), "state.safetensors: "),
    "a negative shape": (header(of_negative_shape), "state.safetensors: "),
    "a missing tensor": (arrays(lambda held: held.pop(WEIGHT)), f"1 arrays are missing, such as {WEIGHT}"),
    "an extra tensor": (arrays(lambda held: held.update(extra=np.zeros(3))), "1 arrays are left over, such as extra"),
    "a tensor named ../": (arrays(lambda held: held.update({"../../evil": np.zeros(3)})), "such as ../../evil"),
    "a misshapen tensor": (arrays(lambda held: held.update({WEIGHT: held[WEIGHT].T})), "was saved with shape"),
    "a tensor of halves": (arrays(lambda held: held.update({WEIGHT: held[WEIGHT].astype("f2")})), "saved as float16"),
    "NaN weights": (arrays(lambda held: held[WEIGHT].fill(np.nan)), f"{WEIGHT} holds a NaN or an infinity"),
    "another model's state": (of_another_model, "The saved state is of another model"),
    "a name that is no step": (lambda run: (run / "checkpoints" / STEP).rename(run / "checkpoints/four"), "no check"),
    "no epoch": (fields(metadata={"epoch": None}), "'epoch' is None"),
    "an epoch below 0": (fields(metadata={"epoch": -3}), "'epoch' is -3"),
    "a batch in words": (fields(metadata={"batch": "two"}), "'batch' is 'two'"),
    "a configuration of nothing": (fields(metadata={"config": {"data": 3}}), "configuration"),
    "callbacks in a list": (fields(metadata={"callbacks": [1]}), "'callbacks' is [1]"),
    "versions in words": (fields(metadata={"versions": "new"}), "'versions' is 'new'"),
    "config.json missing": (lambda run: (run / "config.json").unlink(), "run holds no run to resume"),
    "results.json not JSON": (lambda run: (run / "results.json").write_text("{"), "json cannot be read (Expecting"),
    "results.json 100,000 deep": (lambda run: (run / "results.json").write_bytes(DEEP), "cannot be read (maximum rec"),
    "results.json a list": (lambda run: (run / "results.json").write_text("[]"), "results.json holds a list, not an"),
    "results.json of years in words": (
        lambda run: (run / "results.json").write_text('{"wall_seconds": "long"}'), "wall_seconds is 'long'"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), ROWS.values(), ids=ROWS)
def test_a_run_that_cannot_be_gone_on_with_is_refused(run, refused, spoil, said):
    spoil(run)
    assert "run" in refused(said, "train_classifier.py", *LINE, "--epochs", "2", "--resume")


WRITTEN_ON = {
    "metrics.csv of other columns": ("metrics.csv", b"a,b\n1,2\n", "metrics.csv has no column 'epoch'"),
    "metrics.csv in words": ("metrics.csv", b"epoch,step,wall_seconds\nfirst,4,1.0\n", "metrics.csv cannot be gone on"),
    "metrics.csv of time in words": ("metrics.csv", b"epoch,step,wall_seconds\n1,4,long\n", "metrics.csv cannot be go"),
    "metrics.csv cut off": ("metrics.csv", b"epoch,step,wall_seconds\n1\n", "metrics.csv cannot be gone on"),
    "metrics.csv with too much": ("metrics.csv", b"epoch,step,wall_seconds\n1,4,1.0,7\n", "metrics.csv cannot be gon"),
    "metrics.csv not in UTF-8": ("metrics.csv", b"epoch,step,wall_seconds\n\xff,4,1.0\n", "metrics.csv cannot be gone"),
    "metrics.csv of NUL": ("metrics.csv", b"epoch,step,wall_seconds\n\0,4,1.0\n", "metrics.csv cannot be gone on"),
    "metrics.csv a long word": ("metrics.csv", b"epoch,step,wall_seconds\n" + b"9" * 200_000, "metrics.csv cannot be"),
}


@pytest.mark.parametrize(("name", "content", "said"), WRITTEN_ON.values(), ids=WRITTEN_ON)
def test_what_a_resumed_run_would_write_on_is_read_before_it_trains(run, script, name, content, said):
    (run / name).write_bytes(content)
    outcome = script("train_classifier.py", *LINE, "--epochs", "2", "--resume")
    assert (outcome.status, outcome.error.count("\n")) == (2, 1), outcome.error
    assert outcome.error.startswith("error: ") and said in outcome.error
    assert outcome.seconds < commands.MOST_SECONDS and outcome.memory < commands.MOST_MEMORY
    assert (run / name).read_bytes() == content
    # The attempt is on record; nothing else of the run has changed.
    assert not [path for path in outcome.changed if "tensorboard" not in path and path != "here/run/results.json"]
    assert [path.name for path in (run / "checkpoints").glob("step-*")] == [STEP]


@pytest.mark.parametrize("content", [b"{", DEEP, b"[]", b'{"monitor": "val_accuracy", "mode": "max", "step": "four"}'])
def test_a_damaged_best_json_is_written_again_from_the_checkpoint(run, script, content):
    file = run / "checkpoints" / "best.json"
    sound = file.read_bytes()
    file.write_bytes(content)
    assert script("train_classifier.py", *LINE, "--epochs", "1", "--resume").status == 0
    assert file.read_bytes() == sound


@pytest.mark.parametrize("name", ["sample.py", "predict.py"])
def test_whoever_only_looks_at_a_run_says_the_same(run, refused, name):
    manifest(lambda old: old[:-40])(run)
    refused("manifest.json: ", name, "run", *([] if name == "sample.py" else ["--index", "0", "--dataset", "good.npz"]))


def test_what_the_disk_refuses_is_a_failure_and_no_bad_input(run, script, monkeypatch):
    def refuse(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "write_new", refuse)
    outcome = script("train_classifier.py", *LINE, "--epochs", "2", "--resume")
    assert outcome.status == 1 and "not saved: No space left on device" in outcome.error


FORGERS = {
    "arrays": arrays(lambda held: 0),
    "header": header(lambda entries: None),
    "state": state(lambda old: old),
    "fields": fields(),
}


@pytest.mark.parametrize("forge", FORGERS.values(), ids=FORGERS)
def test_the_forgers_of_these_tables_can_make_a_good_one(run, forge):
    sound = CheckpointStore(run / "checkpoints").load()
    forge(run)
    forged = CheckpointStore(run / "checkpoints").load()
    assert (forged.step, forged.metadata, [*forged.arrays]) == (sound.step, sound.metadata, [*sound.arrays])
    for name, array in sound.arrays.items():
        np.testing.assert_array_equal(forged.arrays[name], array)


def test_a_sound_run_is_gone_on_with_after_all_of_them(run, accepted):
    for forge in FORGERS.values():
        forge(run)
    accepted("train_classifier.py", *LINE, "--epochs", "2", "--resume")
    assert json.loads((run / "results.json").read_text())["steps"] == 8
