import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan.testing import LATENT_DIM, ThreePlayers, tiny_gan, tiny_images

IMAGES = tiny_images(32)  # four batches of eight


class Vector(keras.layers.Layer):
    """One weight vector, and what the loss makes of it."""

    def build(self, input_shape):
        self.vector = self.add_weight(shape=(3,), initializer="ones")
        self.average = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        return ops.convert_to_tensor(self.vector)


class Vectors(kg.Module):
    """Two players of three weights each; `first_loss` and `second_loss` take the weights and the batch."""

    def __init__(self, first_loss, second_loss=lambda weights, x: ops.mean(weights), optimizers=None, **options):
        super().__init__()
        self.first = keras.Sequential([keras.Input((1,)), Vector()])
        self.second = keras.Sequential([keras.Input((1,)), Vector()])
        self.losses_by_player = {"first": first_loss, "second": second_loss}
        self.compile(optimizer=optimizers or {"first": sgd(), "second": sgd()}, **options)

    def training_step(self, x):
        for player, loss in self.losses_by_player.items():
            self.minimize(lambda player=player, loss=loss: {player: loss(getattr(self, player)(x), x)})


def sgd(rate=0.1, **options):
    return keras.optimizers.SGD(rate, **options)


def steps_of(*values):
    """Batches of one example, whose only number is what the losses see."""
    return np.array(values, "float32").reshape(-1, 1)


def train(module, x, **options):
    return module.fit(x, batch_size=1, shuffle=False, verbose=0, **options).history


def test_a_healthy_module_notes_nothing_and_logs_its_losses_as_they_are():
    module = Vectors(lambda weights, x: ops.mean(weights) + ops.mean(x))
    history = train(module, steps_of(1, 2, 3))
    assert module.health.first() is None
    # Weights 1, 1 - 0.1/3, 1 - 0.2/3 (a mean's gradient is a third), and the batches 1, 2, 3.
    assert history["first_loss"] == [pytest.approx(1 - 0.1 / 3 + 2)]


def test_a_loss_that_is_nan_is_noted_with_its_player_and_step():
    module = Vectors(lambda weights, x: ops.mean(weights) * ops.mean(ops.log(x)))
    history = train(module, steps_of(1, 2, -1, 4))
    assert module.health.first() == (3, {"first": "loss"})
    assert np.isnan(history["first_loss"]).all()
    assert np.isfinite(history["second_loss"]).all()


def test_a_loss_that_is_infinite_is_told_from_one_that_is_nan():
    module = Vectors(lambda weights, x: ops.mean(weights) + ops.mean(1 / x))
    train(module, steps_of(1, 0, 1))
    assert (module.health.first(), module.health.nan_losses()) == ((2, {"first": "loss"}), set())
    module = Vectors(lambda weights, x: ops.mean(weights) * ops.mean(ops.log(x)))
    train(module, steps_of(1, -1, 1))
    assert (module.health.first(), module.health.nan_losses()) == ((2, {"first": "loss"}), {"first"})


def test_a_gradient_is_noted_where_the_loss_is_finite():
    # sqrt(0) is 0, and its slope infinite.
    module = Vectors(lambda w, x: ops.mean(w), lambda weights, x: ops.sum(ops.sqrt(weights * ops.mean(x))))
    history = train(module, steps_of(1, 0, 1))
    assert module.health.first() == (2, {"second": "gradient norm"})
    assert np.isnan(history["second_loss"]).all()


def test_clipping_hides_no_gradient():
    clipped = {"first": sgd(clipvalue=1.0), "second": sgd()}
    module = Vectors(lambda weights, x: ops.sum(ops.sqrt(weights * (1 - ops.mean(x)))), optimizers=clipped)
    train(module, steps_of(0.5, 1, 0.5))
    # Clipped to 0 or 1, or not a number: the infinite slope is seen before that.
    assert module.health.first() == (2, {"first": "gradient norm"})


def test_a_weight_that_overflows_is_noted_where_loss_and_gradient_are_finite():
    # A slope of 3e37 at a rate of 1e2: the loss is 9e37, the update infinite.
    module = Vectors(
        lambda weights, x: ops.sum(weights) * ops.mean(x), optimizers={"first": sgd(100.0), "second": sgd()}
    )
    train(module, steps_of(0, 3e37))
    assert module.health.first() == (2, {"first": "weight"})


def test_a_moving_average_counts_as_a_weight():
    class Averaging(Vectors):
        def training_step(self, x):
            self.first.layers[0].average.assign(ops.log(ops.mean(x)))
            super().training_step(x)

    module = Averaging(lambda weights, x: ops.mean(weights))
    train(module, steps_of(1, 2, -1))
    assert module.health.first() == (3, {"first": "weight"})


def test_only_the_first_step_is_kept_and_not_what_it_leads_to():
    module = Vectors(lambda w, x: ops.mean(w) / ops.mean(x), lambda weights, x: ops.mean(weights) * ops.mean(x))
    train(module, steps_of(1, 0, 1, np.nan), epochs=3)
    step, quantities = module.health.first()
    assert (step, quantities) == (2, {"first": "loss"})
    module.health.clear()
    assert module.health.first() is None


def test_a_loss_that_is_infinite_is_logged_as_infinite():
    module = Vectors(lambda weights, x: ops.mean(weights) / ops.mean(x))
    assert train(module, steps_of(0))["first_loss"] == [np.inf]


@pytest.mark.parametrize("place", [1, 3, 4, 7])
def test_the_step_is_exact_where_several_are_one_execution(place):
    module = Vectors(lambda weights, x: ops.mean(weights) * ops.mean(ops.log(x)), steps_per_execution=4)
    x = np.ones((8, 1), "float32")
    x[place - 1] = -1
    train(module, x)
    assert module.health.first() == (place, {"first": "loss"})


def test_a_validation_does_not_clear_what_was_seen():
    class Validated(Vectors):
        def validation_step(self, x):
            self.log("a", ops.mean(x))

    module = Validated(lambda weights, x: ops.mean(weights) * ops.mean(ops.log(x)))
    train(module, steps_of(1, -1), validation_data=steps_of(1))
    assert module.health.first() == (2, {"first": "loss"})


def test_one_player_of_three_is_named():
    class OneDiverges(ThreePlayers):
        def fooling_loss(self, name, latents):
            loss = super().fooling_loss(name, latents)
            return ops.log(-loss) if name == "second" else loss

    module = OneDiverges()
    module.fit(IMAGES, batch_size=8, verbose=0)
    assert module.health.first() == (1, {"second": "loss"})


def test_an_optimizers_own_ways_raise_no_alarm():
    gan = tiny_gan()
    adam = keras.optimizers.Adam(1e-3, use_ema=True, gradient_accumulation_steps=3, clipnorm=1.0)
    gan.compile(optimizer={"generator": adam, "discriminator": keras.optimizers.Lion(1e-3)})
    gan.generator.layers[0].trainable = False
    gan.compile(optimizer={"generator": "adam", "discriminator": "lion"})
    history = gan.fit(IMAGES, batch_size=8, verbose=0, epochs=2).history
    assert gan.health.first() is None
    assert all(np.isfinite(values).all() for values in history.values())


def test_accumulated_gradients_are_seen_before_they_are_applied():
    accumulating = {"first": sgd(gradient_accumulation_steps=4), "second": sgd()}
    module = Vectors(lambda w, x: ops.sum(ops.sqrt(w * ops.mean(x))), optimizers=accumulating)
    train(module, steps_of(1, 0, 1))
    assert module.health.first() == (2, {"first": "gradient norm"})


def test_a_player_whose_loss_does_not_reach_its_weights_raises_no_alarm():
    module = Vectors(lambda weights, x: ops.mean(x) + ops.stop_gradient(ops.mean(weights)))
    train(module, steps_of(1, 2))
    assert module.health.first() is None


def test_the_gradient_of_an_embedding_is_looked_at_too():
    class Looking(kg.Module):
        def __init__(self):
            super().__init__()
            self.table = keras.Sequential([keras.Input((1,), dtype="int32"), keras.layers.Embedding(4, 2)])
            self.compile(optimizer=sgd())

        def training_step(self, x):
            self.minimize(lambda: {"table": ops.sum(ops.sqrt(0.0 * self.table(x)))})

    module = Looking()
    module.fit(np.zeros((2, 1), "int32"), batch_size=1, verbose=0)
    assert module.health.first() == (1, {"table": "gradient norm"})


def test_under_float16_an_overflowing_gradient_is_no_alarm_but_a_loss_is():
    class Overflowing(ThreePlayers):
        factor = 1e36  # infinite only when multiplied by the loss scale

        def training_step(self, images):
            latents = keras.random.normal((ops.shape(images)[0], LATENT_DIM), seed=self.seed_generator)
            self.minimize(lambda: {"first": self.factor * self.fooling_loss("first", latents)})

    keras.config.set_dtype_policy("mixed_float16")
    try:
        module = Overflowing()
        history = module.fit(IMAGES, batch_size=8, verbose=0).history
        assert module.health.first() is None
        assert np.isfinite(history["first_loss"]).all()
        module = Overflowing()
        module.factor = np.nan
        module.fit(IMAGES, batch_size=8, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert module.health.first() == (1, {"first": "loss"})


def test_a_second_compile_starts_afresh_and_leaves_no_metric_behind():
    module = Vectors(lambda weights, x: ops.mean(weights) * ops.mean(ops.log(x)))
    train(module, steps_of(-1))
    count = len(module.metrics)
    module.compile(optimizer={"first": sgd(), "second": sgd()})
    assert module.health.first() is None
    assert len(module.metrics) == count


def test_it_is_no_part_of_saved_weights_or_of_what_a_checkpoint_must_hold(tmp_path):
    module, other = tiny_gan(), tiny_gan()
    module.health.first_steps.assign([[0, 5, 0], [0, 0, 0]])
    module.save_weights(tmp_path / "module.weights.h5")
    other.load_weights(tmp_path / "module.weights.h5")
    assert other.health.first() is None
    arrays = kg.checkpoints.capture(module)
    kg.checkpoints.restore(other, {name: array for name, array in arrays.items() if name != "metric/health"})
    assert other.health.first() is None


def test_no_host_waits_for_the_device():
    """What looks at a step is traced once, with the step: nothing of it runs on the host afterwards."""
    module, calls = Vectors(lambda weights, x: ops.mean(weights)), []
    look = module.health.look
    module.health.look = lambda *arguments: calls.append(1) or look(*arguments)
    train(module, np.ones((50, 1), "float32"))
    assert len(calls) < 10
