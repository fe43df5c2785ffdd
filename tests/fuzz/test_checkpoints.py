"""No checkpoint makes its reader raise anything but `CheckpointError`, nor a model that it does not fit take it."""

import hashlib
import json

import keras
import numpy as np
import pytest
from hypothesis import strategies as st

from kerasgan.checkpoints import CheckpointError, CheckpointStore, StateError, capture, restore
from kerasgan.checkpoints.format import MANIFEST, STATE, render_manifest
from tests.fuzz.mutations import fuzz, mutated, mutated_json
from tests.inputs import commands


@pytest.fixture(scope="module")
def model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse")
    return model


@pytest.fixture
def saved(tmp_path, model):
    """A checkpoint of the model, and the directory it lies in."""
    store = CheckpointStore(tmp_path)
    return store, store.save(1, capture(model), {"epoch": 1, "batch": 0, "config": {"data": {"name": "x"}}})


def described(fields, content):
    """A manifest with these fields that vouches for this state, as far as there is a place to say so."""
    if isinstance(fields, dict):
        fields = {name: value for name, value in fields.items() if name != "manifest_sha256"}
        if isinstance(fields.get("state"), dict) and content is not None:
            vouched = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            fields["state"] = {**fields["state"], **vouched}  # not in place: others are made of the same
        return render_manifest(fields)
    return json.dumps(fields).encode()


def with_header(content, fields):
    length = int.from_bytes(content[:8], "little")
    text = json.dumps(fields).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def test_manifest_and_state(saved, model):
    store, path = saved
    manifest, state = (path / MANIFEST).read_bytes(), (path / STATE).read_bytes()
    before, fields = capture(model), json.loads(manifest)
    header = json.loads(state[8 : 8 + int.from_bytes(state[:8], "little")])

    damaged = st.tuples(mutated(manifest), st.just(state)) | st.tuples(st.just(manifest), mutated(state))
    forged = mutated_json(fields).map(lambda made: (described(made, None), state))
    vouched = mutated(state).map(lambda made: (described(fields, made), made))
    headed = mutated_json(header).map(lambda made: with_header(state, made))
    both = st.tuples(mutated_json(fields), headed).map(lambda made: (described(*made), made[1]))
    vouched |= headed.map(lambda made: (described(fields, made), made))

    def check(made):
        for name, content in zip((MANIFEST, STATE), made, strict=True):
            (path / name).write_bytes(content)
        try:
            found = store.load()
        except CheckpointError as error:
            assert "\n" not in str(error) and str(path) in str(error)
            return
        try:
            restore(model, found.arrays)
        except StateError as error:
            assert "\n" not in str(error)
            for name, array in capture(model).items():
                np.testing.assert_array_equal(array, before[name])  # all of it or nothing
        else:
            restore(model, before)

    with commands.spent() as cost:
        assert fuzz(damaged | forged | vouched | both, check, examples=300)
    assert cost[1] < commands.MOST_MEMORY


def test_the_sound_checkpoint_is_read_and_the_forger_can_make_one(saved, model):
    store, path = saved
    state = (path / STATE).read_bytes()
    (path / MANIFEST).write_bytes(described(json.loads((path / MANIFEST).read_bytes()), state))
    restore(model, store.load().arrays)
