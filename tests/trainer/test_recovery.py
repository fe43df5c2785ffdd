import json
import signal

import keras
import numpy as np
import pytest
from keras import ops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasgan as kg
from kerasgan.testing import tiny_gan


def random_data(**options):
    """40 images, no two alike: five batches of eight an epoch."""
    images = np.random.default_rng(0).uniform(-1, 1, (40, 8, 8, 1)).astype("float32")
    return kg.data.DataModule(images, **{"batch_size": 8, "val_size": 0, "seed": 0, **options})


def first_image(data, epoch, batch):
    """The first image of a batch, in the order of a run that never went back."""
    data.train.epoch, data.train.reshuffles = epoch, 0
    return data.train[batch][0][0]


class Allergic(kg.GAN):
    """Cannot stand one image in the first place of a batch, from step 6 on; nothing in all places, if it is None."""

    image = None

    def losses_of(self, images, latents, training, labels=None):
        losses = super().losses_of(images, latents, training)
        hit = True if self.image is None else ops.max(ops.abs(images[0] - self.image)) < 1e-6
        poisoned = ops.logical_and(hit, self.optimizer.iterations >= 5)
        return losses | {"discriminator": losses["discriminator"] * ops.where(poisoned, np.nan, 1.0)}


def allergic_gan(image):
    keras.utils.set_random_seed(0)
    plain = tiny_gan()
    gan = Allergic(plain.generator, plain.discriminator, seed=0)
    gan.image = image
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    return gan


def train(run_dir, module, data, callbacks=None, resume=False, **options):
    callbacks = [kg.callbacks.Checkpoint(every_n_steps=2, keep_last=99)] if callbacks is None else callbacks
    trainer = kg.Trainer(run_dir, callbacks=callbacks, **{"seed": 0, "max_epochs": 4, "on_nan": "restore", **options})
    return trainer.fit(module, data, resume=resume)


def results(run_dir):
    return json.loads((run_dir / "results.json").read_text())


def store(run_dir):
    return kg.checkpoints.CheckpointStore(run_dir / "checkpoints")


def column(run_dir, name):
    header, *rows = [line.split(",") for line in (run_dir / "metrics.csv").read_text().splitlines()]
    return [row[header.index(name)] for row in rows]


@pytest.fixture
def data():
    return random_data()


@pytest.mark.parametrize("place", [(1, 0), (1, 3), (1, 4)], ids=lambda place: f"epoch {place[0]} batch {place[1]}")
def test_a_run_goes_back_to_its_newest_checkpoint_and_ends_well_in_another_order(tmp_path, data, capsys, place):
    epoch, batch = place
    gan = allergic_gan(first_image(data, epoch, batch))
    history = train(tmp_path / "run", gan, data)
    step = 5 * epoch + batch + 1
    warnings = [line for line in capsys.readouterr().err.splitlines() if "going back" in line]
    # Saved every second step and at the ends of epochs; what step `step` did is worthless.
    newest = max(saved for saved in range(step) if saved % 2 == 0 or saved % 5 == 0)
    assert warnings == [
        f"warning: discriminator_loss is nan at step {step} (epoch {epoch + 1}): going back to step {newest}, on with "
        "another order of the data (1 of at most 3 times)."
    ]
    finished = results(tmp_path / "run")
    assert (finished["status"], finished["steps"], finished["epochs"], finished["restores"]) == ("done", 20, 4, 1)
    assert gan.global_step == 20
    assert history.epoch == [0, 1, 2, 3]
    assert [len(values) for values in history.history.values()] == [4, 4]
    assert np.isfinite(list(history.history.values())).all()
    assert column(tmp_path / "run", "epoch") == ["1", "2", "3", "4"]
    assert column(tmp_path / "run", "step") == ["5", "10", "15", "20"]
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("discriminator loss")] == [5, 10, 15, 20]
    for saved in store(tmp_path / "run").steps():
        assert not kg.checkpoints.non_finite(store(tmp_path / "run").load(saved).arrays)
    assert store(tmp_path / "run").load().metadata["reshuffles"] == 1


def test_by_default_the_run_stops_and_keeps_its_last_finite_checkpoint(tmp_path, data):
    gan = allergic_gan(first_image(data, 1, 3))
    with pytest.raises(kg.callbacks.NonFiniteLoss, match=r"^discriminator_loss is nan at step 9 \(epoch 2\)"):
        train(tmp_path / "run", gan, data, on_nan="stop")
    finished = results(tmp_path / "run")
    assert (finished["status"], finished["restores"]) == ("failed", 0)
    assert store(tmp_path / "run").latest() == 8
    assert column(tmp_path / "run", "epoch") == ["1"]


def test_it_gives_up_where_another_order_does_not_help(tmp_path, data, capsys):
    with pytest.raises(kg.callbacks.NonFiniteLoss, match="discriminator_loss is nan at step 6 "):
        train(tmp_path / "run", allergic_gan(None), data, max_restores=2)
    assert capsys.readouterr().err.count("going back to step 5") == 2
    finished = results(tmp_path / "run")
    assert (finished["status"], finished["restores"]) == ("failed", 2)
    assert store(tmp_path / "run").latest() == 5


def test_returns_are_counted_over_all_resumes(tmp_path, data, capsys):
    gan = allergic_gan(first_image(data, 1, 3))
    train(tmp_path / "run", gan, data, max_epochs=3)
    with pytest.raises(kg.callbacks.NonFiniteLoss):
        train(tmp_path / "run", allergic_gan(None), data, resume=True, max_restores=1)
    assert results(tmp_path / "run")["restores"] == 1
    assert capsys.readouterr().err.count("going back") == 1


def test_without_a_checkpoint_it_begins_again(tmp_path, data, capsys):
    gan = allergic_gan(first_image(data, 1, 3))
    train(tmp_path / "run", gan, data, callbacks=[])
    assert "going back to step 0, on with another order" in capsys.readouterr().err
    assert gan.global_step == 20
    assert column(tmp_path / "run", "epoch") == ["1", "2", "3", "4"]

    # The same as a run whose data was in that order from the first.
    straight = allergic_gan(np.full((8, 8, 1), 9.0, "float32"))
    data.train.reshuffles = 1
    for epoch in range(4):
        data.train.epoch = epoch
        straight.fit(data.train, shuffle=False, verbose=0)
    for one, other in zip(gan.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_next_run_on_the_same_data_starts_in_its_own_order(tmp_path, data):
    image = first_image(data, 1, 3)
    train(tmp_path / "first", allergic_gan(image), data)
    assert data.train.reshuffles == 1
    train(tmp_path / "second", allergic_gan(np.full((8, 8, 1), 9.0, "float32")), data)
    assert data.train.reshuffles == 0
    assert results(tmp_path / "second")["restores"] == 0


class SignalAt(keras.callbacks.Callback):
    """Sends this process a signal during one epoch, once it has gone back."""

    def __init__(self, epoch, data):
        super().__init__()
        self.epoch, self.data = epoch, data
        self.now = -1

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.now, batch, self.data.train.reshuffles) == (self.epoch, 2, 1):
            signal.raise_signal(signal.SIGTERM)


def train_whole_and_stopped(tmp_path, image, data):
    """Train one run to its end, which is returned, and another until it is stopped after it went back."""
    whole = allergic_gan(image)
    train(tmp_path / "whole", whole, data)
    checkpoint = kg.callbacks.Checkpoint(every_n_steps=2, keep_last=99)
    with pytest.raises(kg.Interrupted):
        train(tmp_path / "run", allergic_gan(image), data, callbacks=[checkpoint, SignalAt(2, data)])
    return whole


def test_a_run_that_went_back_and_was_stopped_resumes_as_the_same_run(tmp_path, data):
    image = first_image(data, 1, 3)
    whole = train_whole_and_stopped(tmp_path, image, data)
    data.train.reshuffles = 7  # whatever the process that resumes finds there
    resumed = allergic_gan(image)
    train(tmp_path / "run", resumed, data, resume=True)
    one, other = (kg.checkpoints.capture(module) for module in (whole, resumed))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert results(tmp_path / "run")["restores"] == 1


def test_without_the_count_of_returns_the_resumed_run_is_another(tmp_path, data, monkeypatch):
    """The negative control of the test above: what it compares depends on the order of the data."""
    image = first_image(data, 1, 3)
    whole = train_whole_and_stopped(tmp_path, image, data)
    saved = store(tmp_path / "run").load()
    store(tmp_path / "run").save(saved.step, saved.arrays, {**saved.metadata, "reshuffles": 0})
    resumed = allergic_gan(image)
    train(tmp_path / "run", resumed, data, resume=True)
    pairs = zip(whole.get_weights(), resumed.get_weights(), strict=True)
    assert any(not np.array_equal(one, other) for one, other in pairs)


def test_a_validation_that_is_not_finite_is_a_reason_too(tmp_path, capsys):
    data = random_data(val_size=8)

    gan = allergic_gan(np.full((8, 8, 1), 9.0, "float32"))

    class SpoilEpoch(keras.callbacks.Callback):
        done = False

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1 and not self.done:
                self.done = True
                logs["val_generator_loss"] = float("nan")

    order = [SpoilEpoch(), kg.callbacks.StopOnNaN(), kg.callbacks.Checkpoint()]
    train(tmp_path / "run", gan, data, callbacks=order, max_epochs=3)
    assert "val_generator_loss is nan at step 8 (epoch 2): going back to step 4" in capsys.readouterr().err
    assert results(tmp_path / "run")["restores"] == 1


def test_arrays_are_trained_again_too(tmp_path, capsys):
    """Their order is Keras's business, and no order helps here."""
    images = np.random.default_rng(0).uniform(-1, 1, (40, 8, 8, 1)).astype("float32")
    trainer = kg.Trainer(tmp_path / "run", max_epochs=2, on_nan="restore", max_restores=1)
    with pytest.raises(kg.callbacks.NonFiniteLoss):
        trainer.fit(allergic_gan(None), images, batch_size=8)
    assert capsys.readouterr().err.count("going back to step 0") == 1


def test_a_stock_keras_model_goes_back_too(tmp_path, capsys):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    before = model.get_weights()
    targets = np.zeros((16, 1), "float32")
    targets[12] = np.nan
    images = np.random.default_rng(0).uniform(-1, 1, (16, 8, 8, 1)).astype("float32")
    with pytest.raises(kg.callbacks.NonFiniteLoss):
        kg.Trainer(tmp_path / "run", on_nan="restore", max_restores=2).fit(model, (images, targets), batch_size=8)
    assert capsys.readouterr().err.count("going back to step 0") == 2
    assert any(not np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"on_nan": "ignore"}, "on_nan is 'ignore'; choose one of stop, restore"),
        ({"max_restores": 0}, "max_restores is 0; choose a positive number"),
    ],
)
def test_options_out_of_range_are_named(tmp_path, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        kg.Trainer(tmp_path / "run", **options)
