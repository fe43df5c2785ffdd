"""Several steps as one program: the same bits, and everything at its exact step."""

import csv
import functools
import json

import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.testing import TinyWassersteinGAN, tiny_classifier, tiny_gan, tiny_images
from kerasgan.trainer.executions import Execution, Executions, cut


def data(count=43, **options):
    """43 images: of batches of eight, five, and one of three."""
    labels = np.arange(count) % 3
    return kg.data.DataModule(
        np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), "uint8"),
        labels if options.pop("labelled", False) else None,
        **{"batch_size": 8, "seed": 0, **options},
    )


def train(run_dir, build=tiny_gan, *, checkpoint=None, callbacks=(), resume=False, batches=None, **options):
    keras.utils.set_random_seed(0)
    module = build()
    callbacks = [kg.callbacks.Checkpoint(**(checkpoint or {})), *callbacks]
    trainer = kg.Trainer(run_dir, callbacks=callbacks, **{"max_epochs": 3, "seed": 0, **options})
    trainer.fit(module, data() if batches is None else batches, resume=resume)
    return module


def rows(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "wall_seconds"} for row in csv.DictReader(file)]


def saved_steps(run_dir):
    return [int(path.name.removeprefix("step-")) for path in sorted((run_dir / "checkpoints").glob("step-*"))]


def assert_same_run(one, other):
    """Compare the last checkpoints bit for bit, the rows of all epochs, and which steps were saved."""
    first, second = (kg.checkpoints.CheckpointStore(run / "checkpoints").load().arrays for run in (one, other))
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert rows(one) == rows(other)
    assert saved_steps(one) == saved_steps(other)


class Calls(keras.callbacks.Callback):
    """Notes which batches it is called for."""

    def __init__(self):
        super().__init__()
        self.begun, self.ended = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.ended.append(batch)


# How an epoch is cut.


@pytest.mark.parametrize(
    ("sizes", "longest", "cuts", "expected"),
    [
        ([8] * 5, 2, [], [(0, 2, 8), (2, 2, 8), (4, 1, 8)]),
        ([8] * 5, 9, [3], [(0, 3, 8), (3, 2, 8)]),
        ([8] * 5, 9, [0, 5, 7, -1], [(0, 5, 8)]),
        ([8, 8, 3], 9, [], [(0, 2, 8), (2, 1, 3)]),
        ([8, 8, 8, 3], 2, [1], [(0, 1, 8), (1, 2, 8), (3, 1, 3)]),
        ([3], 4, [], [(0, 1, 3)]),
    ],
)
def test_an_epoch_is_cut_where_it_has_to_be(sizes, longest, cuts, expected):
    assert cut(sizes, longest, cuts) == [Execution(*numbers) for numbers in expected]


@pytest.mark.parametrize("longest", [1, 2, 3, 50])
@pytest.mark.parametrize("due", [(), (1,), (3,), (4, 6)])
@pytest.mark.parametrize("drop", [True, False])
def test_keras_is_promised_enough_executions_for_every_epoch(longest, due, drop):
    batches = data(drop_remainder=drop).train
    executions = Executions(batches, longest, due, last_step=17)
    for step in range(20):
        executions.begin(step)
        plan = [executions.at(place) for place in range(executions.num_batches)]
        plan = [execution for execution in plan if execution is not None]
        assert [place for part in plan for place in range(part.first, part.end)] == list(range(batches.num_batches))
        assert executions.at(executions.num_batches) is None
        for part in plan:
            within = range(step + part.first + 1, step + part.end)
            assert not any(place % every == 0 for every in due for place in within)
            assert 17 not in within


# The same run, whatever the pace.


def train_with_saves(run_dir, steps, drop):
    batches = data(drop_remainder=drop, val_size=8)
    train(run_dir, batches=batches, steps_per_execution=steps, checkpoint={"every_n_steps": 3})
    return run_dir


@pytest.fixture(scope="module")
def step_by_step(tmp_path_factory):
    """`step_by_step(drop)`: a run of one step in an execution, with or without the batch that is not full."""
    return functools.cache(lambda drop: train_with_saves(tmp_path_factory.mktemp("one") / "run", 1, drop))


@pytest.mark.parametrize("steps", [2, 4, 64])
@pytest.mark.parametrize("drop", [True, False])
def test_the_bits_do_not_depend_on_the_steps_in_an_execution(tmp_path, step_by_step, steps, drop):
    assert_same_run(step_by_step(drop), train_with_saves(tmp_path / "several", steps, drop))


def test_alternating_updates_and_a_gradient_penalty_run_within_an_execution(tmp_path):
    for name, number in (("one", 1), ("several", 4)):
        train(tmp_path / name, TinyWassersteinGAN, steps_per_execution=number)
    assert_same_run(tmp_path / "one", tmp_path / "several")


def with_everything(**options):
    """Penalties in every other step, clipped weights, augmented images and an averaged generator."""
    rest = {"penalties": {"r1": 1.0, "dragan": 1.0}, "penalty_every": 2, "weight_clip": 0.5, "critic_steps": 2}
    return tiny_gan(**rest, augment="color,translation,cutout", ema=0.9, **options)


def test_lazy_penalties_averages_and_augmentation_run_within_an_execution(tmp_path):
    for name, number in (("one", 1), ("several", 4)):
        train(tmp_path / name, with_everything, steps_per_execution=number)
    assert_same_run(tmp_path / "one", tmp_path / "several")


@pytest.mark.parametrize("one_hot", [True, False])
def test_a_classifier_and_its_metrics_run_within_an_execution(tmp_path, one_hot):
    def build():
        classifier = tiny_classifier(3)
        loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
        classifier.compile("adam", loss, metrics=["accuracy"])
        return classifier

    for name, number in (("one", 1), ("several", 4)):
        batches = data(labelled=True, one_hot=one_hot, val_size=8)
        train(tmp_path / name, build, batches=batches, steps_per_execution=number)
    assert_same_run(tmp_path / "one", tmp_path / "several")
    assert "val_accuracy" in rows(tmp_path / "one")[0]


def test_data_that_do_not_fit_the_device_give_the_same_bits(tmp_path, monkeypatch):
    train(tmp_path / "resident", steps_per_execution=4, batches=data(drop_remainder=False))
    monkeypatch.setattr(backends, "free_bytes", lambda: 0)
    for name, number in (("host", 1), ("stacked", 4)):
        train(tmp_path / name, steps_per_execution=number, batches=data(drop_remainder=False))
        assert_same_run(tmp_path / "resident", tmp_path / name)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_run_stopped_within_an_execution_goes_on_as_if_it_was_not(tmp_path, steps):
    train(tmp_path / "whole", steps_per_execution=4)
    train(tmp_path / "parts", steps_per_execution=4, max_steps=7, checkpoint={"keep_last": 9})
    assert saved_steps(tmp_path / "parts") == [5, 7]
    train(tmp_path / "parts", steps_per_execution=steps, resume=True)
    assert rows(tmp_path / "whole")[-1] == rows(tmp_path / "parts")[-1]
    whole, parts = (
        kg.checkpoints.CheckpointStore(tmp_path / name / "checkpoints").load() for name in ("whole", "parts")
    )
    assert whole.step == parts.step == 15
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(array, parts.arrays[name], err_msg=name)


# Everything at its exact step.


def test_checkpoints_and_the_limit_of_steps_keep_their_step(tmp_path):
    module = train(tmp_path, steps_per_execution=64, max_steps=13, checkpoint={"every_n_steps": 3, "keep_last": 99})
    assert module.global_step == 13
    assert saved_steps(tmp_path) == [3, 5, 6, 9, 10, 12, 13]
    store = kg.checkpoints.CheckpointStore(tmp_path / "checkpoints")
    places = {step: (store.load(step).metadata["epoch"], store.load(step).metadata["batch"]) for step in (3, 5, 6, 13)}
    assert places == {3: (0, 3), 5: (1, 0), 6: (1, 1), 13: (2, 3)}


def test_callbacks_are_told_the_first_and_the_last_batch_of_every_execution(tmp_path):
    calls = Calls()
    train(tmp_path, steps_per_execution=2, max_epochs=1, callbacks=[calls])
    assert (calls.begun, calls.ended) == ([0, 2, 4], [1, 3, 4])


def test_a_callback_that_stops_training_ends_it_with_the_execution(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    assert train(tmp_path, steps_per_execution=2, callbacks=[Stop()]).global_step == 2


class Poisoned(kg.GAN):
    """Its discriminator's loss is NaN in step 8."""

    def losses_of(self, images, latents, training, labels=None):
        losses = super().losses_of(images, latents, training)
        poison = ops.where(self.optimizer.iterations == 7, np.nan, 1.0)
        return losses | {"discriminator": losses["discriminator"] * poison}


def poisoned_gan():
    plain = tiny_gan()
    gan = Poisoned(plain.generator, plain.discriminator, seed=0)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    return gan


def test_what_is_not_finite_is_named_with_its_step_within_the_execution(tmp_path):
    with pytest.raises(kg.callbacks.NonFiniteLoss, match="discriminator_loss is nan at step 8 "):
        train(tmp_path, poisoned_gan, steps_per_execution=64)
    assert saved_steps(tmp_path) == [5]


# What it costs.


class Counting(kg.GAN):
    """Counts how often its step is traced."""

    traces = 0

    def training_step(self, batch):
        type(self).traces += 1
        super().training_step(batch)


def counting_gan():
    plain = tiny_gan()
    gan = Counting(plain.generator, plain.discriminator, seed=0)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    return gan


@pytest.mark.parametrize("steps", [1, 4, "auto"])
def test_nothing_is_compiled_after_the_first_epoch(tmp_path, steps):
    class Traces(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(Counting.traces)

    seen, batches = [], data(drop_remainder=False, val_size=8)
    train(
        tmp_path,
        counting_gan,
        batches=batches,
        steps_per_execution=steps,
        max_epochs=30,
        callbacks=[Traces()],
        checkpoint={"every_n_steps": 7},
    )
    assert seen[0] > 0
    assert seen[0] == seen[-1]


def test_a_second_fit_uses_the_programs_of_the_first(tmp_path):
    Counting.traces, module, batches = 0, counting_gan(), data()
    kg.Trainer(tmp_path / "one", steps_per_execution=2).fit(module, batches)
    traces = Counting.traces
    kg.Trainer(tmp_path / "other", steps_per_execution=2).fit(module, batches)
    assert Counting.traces == traces > 0


def test_a_module_steps_as_it_was_compiled_once_the_trainer_is_done(tmp_path):
    module = train(tmp_path, steps_per_execution=4)
    assert module.steps_per_execution == 1
    module.fit(tiny_images(16), batch_size=8, verbose=0)
    assert module.global_step == 17
    assert json.loads((tmp_path / "results.json").read_text())["steps"] == 15
