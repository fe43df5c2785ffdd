import functools
import pickle

import keras
import numpy as np
import pytest
from keras import ops

from kerasgan.callbacks import Checkpoint, CSVLogger, NonFiniteLoss, StopOnNaN
from kerasgan.checkpoints import CheckpointStore, capture, non_finite
from kerasgan.modules import GAN
from kerasgan.testing import tiny_discriminator, tiny_gan, tiny_generator, tiny_images
from tests.reuse import as_made


class StepCounter(keras.callbacks.Callback):
    async_safe = True
    steps = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.steps += 1


def poisoned(data, step, value=np.nan, batches=32):
    """`batches` batches, the given one with a target that no loss can bear."""
    x, y = np.resize(data[0], (batches * 8, 4)), np.resize(data[1], (batches * 8, 3)).copy()
    y[(step - 1) * 8] = value
    return {"x": x, "y": y, "shuffle": False}


@pytest.mark.parametrize("step", [1, 5, 32])
def test_the_error_names_the_loss_the_step_and_the_epoch(fit, data, step):
    with pytest.raises(NonFiniteLoss, match=rf"loss is nan.* at step {step} \(epoch 1\): lower the learning") as caught:
        fit([StopOnNaN()], **poisoned(data, step))
    assert (caught.value.step, caught.value.epoch) == (step, 1)
    assert set(caught.value.values) == {"loss", "mae"}


def test_steps_count_on_from_epoch_to_epoch(fit, data):
    fit([StopOnNaN()], epochs=1)
    with pytest.raises(NonFiniteLoss, match=r"at step 7 \(epoch 2\)"):
        fit([StopOnNaN()], epochs=2, initial_epoch=1, **poisoned(data, 3))


def test_infinity_counts_too(fit, data):
    with pytest.raises(NonFiniteLoss, match="loss is inf"):
        fit([StopOnNaN()], epochs=1, **poisoned(data, 4, np.inf, batches=4))


def test_training_stops_in_mid_epoch(fit, data):
    counter = StepCounter()
    with pytest.raises(NonFiniteLoss):
        fit([StopOnNaN(), counter], **poisoned(data, 2, batches=2000))
    assert counter.steps < 1000


def test_without_it_training_goes_on(fit, data):
    counter = StepCounter()
    fit([counter], epochs=1, **poisoned(data, 2))
    assert counter.steps == 32


def test_a_validation_that_is_not_finite_counts(fit, data):
    with pytest.raises(NonFiniteLoss, match=r"val_loss is nan.* at step 4 \(epoch 1\)"):
        fit([StopOnNaN()], validation_data=(data[0], np.full_like(data[1], np.nan)))


def test_steps_that_arrive_out_of_order_give_the_first(model, fit):
    fit([], epochs=1)
    stop = StopOnNaN()
    stop.set_model(model)
    stop.on_epoch_begin(0)
    for batch in (6, 3, 5):
        stop.on_train_batch_end(batch, {"loss": float("nan")})
    with pytest.raises(NonFiniteLoss) as caught:
        stop.on_epoch_end(0, {"loss": float("nan")})
    assert caught.value.step == 4 + 4  # four steps in the fit before, and the fourth batch


def test_what_comes_after_it_does_not_see_the_epoch(fit, data, tmp_path):
    with pytest.raises(NonFiniteLoss):
        fit([StopOnNaN(), CSVLogger(tmp_path / "metrics.csv")], **poisoned(data, 2))
    assert not (tmp_path / "metrics.csv").exists()


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(NonFiniteLoss({"loss": float("inf")}, 3, 1)))
    assert (error.step, str(error)[:21]) == (3, "loss is inf at step 3")


# Modules, which note on the device what was not finite, and when.


def poisoned_gan(step, poison, player="generator", **options):
    """A GAN of which `poison(loss, is_the_step, weight)` changes the loss of one player; steps count from one.

    The step is a variable of the GAN, so that one program serves all steps.
    """
    renew, when = made_poisoned(poison, player, **options)
    gan = renew()
    when.assign(step)
    return gan


@functools.cache
def made_poisoned(poison, player, **options):
    """Return what makes such a GAN new again, and the variable that holds the step."""

    class Poisoned(GAN):
        def __init__(self):
            super().__init__(tiny_generator(), tiny_discriminator(), seed=0)
            self.when = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False)

        def losses_of(self, images, latents, training, labels=None):
            losses, weights = super().losses_of(images, latents, training), getattr(self, player).trainable_variables
            now = ops.logical_and(training, ops.cast(self.optimizer.iterations, "int32") + 1 == self.when)
            return losses | {player: poison(losses[player], now, ops.sum(weights[-1]))}

    gan = Poisoned()
    gan.compile(optimizer={name: keras.optimizers.SGD(0.01) for name in ("generator", "discriminator")}, **options)
    return as_made(gan), gan.when


def nan_loss(loss, now, weight):
    return loss * ops.where(now, np.nan, 1.0)


def steep_loss(loss, now, weight):
    # The root of zero is zero, and its slope infinite.
    return loss + ops.sqrt(ops.where(now, 0.0 * weight, 1.0))


def train(gan, callbacks, **options):
    gan.fit(tiny_images(32), batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=callbacks, **options)


@pytest.mark.parametrize("step", [1, 3, 4, 5], ids=lambda step: f"step {step}, epochs of 4")
@pytest.mark.parametrize(
    ("poison", "complaint"),
    [(nan_loss, "discriminator_loss is nan"), (steep_loss, "discriminator gradient norm is not finite")],
    ids=["loss", "gradient"],
)
def test_a_module_names_the_player_what_it_was_and_the_step(step, poison, complaint):
    with pytest.raises(NonFiniteLoss, match=f"^{complaint} at step {step} .epoch {(step + 3) // 4}.: lower") as caught:
        train(poisoned_gan(step, poison, "discriminator"), [StopOnNaN()])
    assert caught.value.step == step


def infinite_loss(loss, now, weight):
    return loss * ops.where(now, np.inf, 1.0)


@pytest.mark.parametrize(
    ("callback", "options", "complaint"),
    [
        (StopOnNaN, {}, "generator_loss is inf"),
        # The mean that is logged after four steps is NaN by then.
        (StopOnNaN, {"steps_per_execution": 4}, "generator_loss is not finite"),
        # Nothing is logged yet where a checkpoint looks.
        (Checkpoint, {}, "generator_loss is not finite"),
    ],
    ids=["logged", "logged after four steps", "not logged"],
)
def test_an_infinity_is_not_called_nan(tmp_path, callback, options, complaint):
    callback = callback(tmp_path / "c", every_n_steps=1) if callback is Checkpoint else callback()
    with pytest.raises(NonFiniteLoss, match=f"^{complaint} at step 2 "):
        train(poisoned_gan(2, infinite_loss, **options), [callback])


@pytest.mark.parametrize("step", [2, 4])
def test_the_step_is_exact_within_one_execution_of_four(step):
    with pytest.raises(NonFiniteLoss, match=f"generator_loss is nan at step {step} "):
        train(poisoned_gan(step, nan_loss, steps_per_execution=4), [StopOnNaN()])


def test_a_value_that_the_step_logs_itself_is_found_too():
    gan = tiny_gan()

    class Logging(type(gan)):
        def training_step(self, batch):
            super().training_step(batch)
            self.log("score", ops.where(self.optimizer.iterations == 2, np.inf, 1.0))

    gan.__class__ = Logging
    gan.compile(optimizer={name: "adam" for name in gan.players})
    with pytest.raises(NonFiniteLoss, match="score is inf at step 3 "):
        train(gan, [StopOnNaN()])


def test_what_an_earlier_fit_left_does_not_count():
    gan = poisoned_gan(2, nan_loss)
    weights = gan.get_weights()
    train(gan, [])
    assert gan.health.first() == (2, {"generator": "loss"})
    gan.set_weights(weights)
    train(gan, [StopOnNaN()])
    assert gan.global_step == 16


def test_the_next_fit_finds_the_next_one():
    gan = poisoned_gan(2, nan_loss)
    weights = gan.get_weights()
    for _ in range(2):
        gan.set_weights(weights)
        gan.optimizer.iterations.assign(0)
        with pytest.raises(NonFiniteLoss, match="generator_loss is nan at step 2 "):
            train(gan, [StopOnNaN()])


@pytest.mark.parametrize("poison", [nan_loss, steep_loss])
@pytest.mark.parametrize("step", [3, 4], ids=lambda step: f"step {step}")
def test_nothing_that_is_not_finite_is_saved_as_last_or_as_best(tmp_path, poison, step):
    checkpoint = Checkpoint(tmp_path / "c", every_n_steps=1, keep_last=9, monitor="generator_loss")
    with pytest.raises(NonFiniteLoss):
        train(poisoned_gan(step, poison), [StopOnNaN(), checkpoint])
    store = CheckpointStore(tmp_path / "c")
    assert max(store.steps()) == step - 1
    assert all(not non_finite(store.load(saved).arrays) for saved in store.steps())


def test_without_the_detection_the_checkpoint_refuses_all_the_same(tmp_path):
    """The negative control: a poisoned run that nobody stops."""
    renew, when = made_poisoned.__wrapped__(nan_loss, "generator")  # not the one of the other tests
    gan = renew()
    when.assign(2)
    gan.health.look = lambda module, losses, gradients: {player: 0.0 * ops.cast(1, "float32") for player in losses}
    with pytest.raises(NonFiniteLoss, match=r"(player|optimizer)/generator/0000 is nan at step 4 "):
        train(gan, [Checkpoint(tmp_path / "c")])
    assert CheckpointStore(tmp_path / "c").steps() == []
    assert non_finite(capture(gan))
