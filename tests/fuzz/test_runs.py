"""No file of a run directory makes whoever reads it raise anything but a documented error."""

import json
import shutil

import keras
import pytest
from hypothesis import strategies as st

import kerasgan as kg
from kerasgan.checkpoints.format import MANIFEST, render_manifest
from kerasgan.testing import IMAGE_SHAPE, tiny_images
from kerasgan.trainer.config import describe_run
from kerasgan.trainer.feed import Feed
from kerasgan.trainer.recovery import Recovery
from kerasgan.trainer.results import Record
from kerasgan.trainer.resume import resumed
from kerasgan.trainer.run_directory import RunDirectory
from tests.fuzz.mutations import fuzz, mutated, mutated_json
from tests.inputs import commands

DOCUMENTED = (kg.RunDirectoryError, kg.checkpoints.CheckpointError, kg.checkpoints.StateError)


def tiny_classifier():
    network = keras.Sequential(
        [keras.Input(IMAGE_SHAPE), keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.BatchNormalization()]
    )
    classifier = kg.Classifier(network, ["a", "b", "c"])
    classifier.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return classifier


@pytest.fixture(scope="module")
def data():
    labels = [number % 3 for number in range(8)]
    return kg.data.DataModule((tiny_images(8) + 1) / 2, labels, name="squares", batch_size=4)


@pytest.fixture
def run(tmp_path, data):
    """A run of one epoch, as the trainer leaves it."""
    checkpoint = kg.callbacks.Checkpoint(monitor="loss")
    classifier = tiny_classifier()
    kg.Trainer(tmp_path / "run", max_epochs=1, callbacks=[checkpoint]).fit(classifier, data)
    return tmp_path / "run"


def one_line(error):
    assert "\n" not in str(error) and str(error), repr(error)


def test_config(run):
    file = run / "config.json"
    sound = file.read_bytes()
    fields = json.loads(sound)
    cleared = 0

    def check(content):
        nonlocal cleared
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        try:
            kg.load_run(run)
        except DOCUMENTED as error:
            one_line(error)
        cleared += 1
        if cleared % 50 == 0:
            keras.utils.clear_session()

    module_alone = mutated_json(fields["module"]).map(lambda module: {**fields, "module": module})
    with commands.spent() as cost:
        assert fuzz(mutated_json(fields) | module_alone | mutated(sound), check, examples=30)
    assert cost[1] < 2 * commands.MOST_MEMORY  # what Keras keeps of fifty networks included
    file.write_bytes(sound)
    assert kg.load_run(run).class_names == ("a", "b", "c")


def test_what_a_manifest_says_of_the_run(run, data):
    (path,) = (run / "checkpoints").glob("step-*")
    fields = json.loads((path / MANIFEST).read_bytes())
    del fields["manifest_sha256"]
    classifier = tiny_classifier()
    config = describe_run(classifier, data, {"limit_train_batches": None, "overfit_batches": None}, run / "checkpoints")
    fields["metadata"]["config"] = json.loads(json.dumps(config, default=str))
    feed, store = Feed.of(data, None, None, classifier), kg.checkpoints.CheckpointStore(run / "checkpoints")
    gone_on = 0

    def check(metadata):
        nonlocal gone_on
        (path / MANIFEST).write_bytes(render_manifest({**fields, "metadata": metadata}))
        try:
            start = resumed(RunDirectory(run), store, classifier, feed, dict(config))
            Record(classifier, start, {}).results("done", None)
            Recovery(classifier, start, store, feed, limit=1)
        except (*DOCUMENTED, ValueError) as error:
            one_line(error)
            assert type(error) in (*DOCUMENTED, ValueError)
            return
        gone_on += 1
        assert min(start.position.epoch, start.position.batch) >= 0
        kg.callbacks.Checkpoint(run / "elsewhere")

    assert fuzz(mutated_json(fields["metadata"]), check, examples=60)
    assert gone_on  # some changes do no harm
    check(fields["metadata"])


def begun_and_an_epoch_later(callback, model, logs):
    callback.set_model(model)
    callback.set_params({"epochs": 9, "steps": 1})
    callback.on_train_begin()
    callback.on_epoch_begin(1)
    callback.on_epoch_end(1, logs)


def test_metrics(run):
    file, model = run / "metrics.csv", tiny_classifier()
    sound = file.read_bytes()
    header, row = sound.decode().splitlines()

    def check(content):
        file.write_bytes(content)
        logger = kg.callbacks.CSVLogger(file, append=True)
        logger.set_model(model)
        try:
            logger.on_train_begin()
        except ValueError as error:
            one_line(error)
            assert type(error) is ValueError
            return
        logger.on_epoch_end(1, {"loss": 0.5})
        last = file.read_text(encoding="utf-8").splitlines()[-1]
        assert last.startswith("2,")

    words = st.sampled_from([*row.split(","), "", "nan", "inf", "-1", "1e400", "x", '"', '"a\nb"', "\0", "٣", "1_0"])
    rows = st.lists(st.lists(words, min_size=1, max_size=6).map(",".join), max_size=4)
    made = rows.map(lambda lines: "\n".join([header, *lines, ""]).encode())
    assert fuzz(mutated(sound) | made, check, examples=200)
    check(sound)


def test_best(run):
    store = run / "checkpoints"
    file, kept = store / "best.json", run / "kept"
    shutil.copytree(store, kept)
    sound = file.read_bytes()

    def check(content):
        shutil.rmtree(store)
        shutil.copytree(kept, store)
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        callback, model = kg.callbacks.Checkpoint(store, monitor="loss"), kg.load_run(run, step=2)
        callback.resumed_from = (1, 0)
        try:
            begun_and_an_epoch_later(callback, model, {"loss": 1e-3})
        except ValueError as error:
            one_line(error)
            assert type(error) is ValueError and "best.json" in str(error)
        try:
            kg.load_run(run, step="best")
        except DOCUMENTED as error:
            one_line(error)

    assert fuzz(mutated(sound) | mutated_json(json.loads(sound)), check, examples=20)
    check(sound)
