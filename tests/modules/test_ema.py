import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan.modules.ema import averaging_copy, update_average, warmed_up
from kerasgan.testing import tiny_images


def network(seed=0):
    """A network with all that is not to be averaged, on 8x8 images."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(2, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.1, seed=seed),
            kg.layers.SpectralNormalization(keras.layers.Conv2D(1, 3, padding="same")),
        ]
    )


def values(model):
    """Weights by their last name, in order: kernel, bias, gamma, ..., vector_u, seed_generator_state."""
    return [(variable.path.split("/")[-1], ops.convert_to_numpy(variable)) for variable in model.variables]


AVERAGED = {"kernel", "bias", "gamma", "beta"}
COPIED = {"moving_mean", "moving_variance", "vector_u", "seed_generator_state"}


def test_by_hand():
    one = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    one.set_weights([np.array([[2.0]]), np.array([0.0])])
    average = averaging_copy(one)
    one.set_weights([np.array([[4.0]]), np.array([1.0])])
    update_average(average, one, 0.9)
    kernel, bias = average.get_weights()
    assert kernel[0, 0] == pytest.approx(0.9 * 2 + 0.1 * 4)
    assert bias[0] == pytest.approx(0.1)
    update_average(average, one, 0.0)
    assert average.get_weights()[0][0, 0] == 4.0


def test_a_copy_has_the_values_and_nothing_to_train():
    original = network()
    original(tiny_images(4), training=True)
    average = averaging_copy(original)
    assert average.trainable_variables == []
    assert len(original.trainable_variables) == 6
    for (name, one), (_, other) in zip(values(average), values(original), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
    np.testing.assert_allclose(average(tiny_images(4)), original(tiny_images(4)), rtol=1e-6)


def test_trained_weights_are_averaged_and_all_else_is_copied():
    original = network()
    average = averaging_copy(original)
    for variable in original.trainable_variables:
        variable.assign(variable + 1.0)
    before = values(average)
    original(tiny_images(4), training=True)
    update_average(average, original, 0.75)
    seen = set()
    for (name, old), (_, new), (_, now) in zip(before, values(original), values(average), strict=True):
        seen.add(name)
        assert not np.array_equal(old, new), name
        if name in AVERAGED:
            np.testing.assert_allclose(now, 0.75 * old + 0.25 * new, rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(now, new, err_msg=name)
    assert seen == AVERAGED | COPIED


def test_the_network_is_left_alone():
    original = network()
    average, before = averaging_copy(original), values(original)
    for variable in average.variables[:2]:
        variable.assign(variable * 3.0)
    update_average(average, original, 0.5)
    for (name, old), (_, now) in zip(before, values(original), strict=True):
        np.testing.assert_array_equal(old, now, err_msg=name)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (8, 0.5), (90, 0.91), (8990, 0.999), (10**6, 0.999), (np.int32(8), 0.5)]
)
def test_the_decay_warms_up(step, expected):
    assert float(ops.convert_to_numpy(warmed_up(0.999, step))) == pytest.approx(expected, rel=1e-6)


class Averaged(kg.Module):
    """A network that learns to return its input, and the average of it."""

    def __init__(self, decay=0.8):
        super().__init__()
        self.network, self.decay = network(), decay
        self.average = averaging_copy(self.network)
        self.compile(optimizer={"network": keras.optimizers.SGD(0.5)})

    def training_step(self, images):
        self.minimize(lambda: {"network": ops.mean(ops.square(self.network(images, training=True) - images))})
        if self.decay is not None:
            update_average(self.average, self.network, warmed_up(self.decay, self.optimizer.iterations))


def test_in_a_compiled_step_it_follows_the_recursion_over_many_steps_and_epochs():
    module, expected = Averaged(), None
    expected = values(module.average)
    for step in range(6):
        module.fit(tiny_images(8), batch_size=8, verbose=0)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = [
            (name, decay * mean + (1 - decay) * new if name in AVERAGED else new)
            for (name, mean), (_, new) in zip(expected, values(module.network), strict=True)
        ]
        for (name, mean), (_, now) in zip(expected, values(module.average), strict=True):
            np.testing.assert_allclose(now, mean, rtol=1e-5, atol=1e-7, err_msg=name)
    assert not np.allclose(values(module.average)[0][1], values(module.network)[0][1], rtol=1e-3)


def test_several_epochs_of_one_fit_give_the_same_as_several_fits():
    once, often = Averaged(), Averaged()
    once.fit(tiny_images(16), batch_size=8, epochs=3, shuffle=False, verbose=0)
    for _ in range(3):
        often.fit(tiny_images(16), batch_size=8, shuffle=False, verbose=0)
    for (name, one), (_, other) in zip(values(once.average), values(often.average), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_moved_outside_of_a_step_it_can_be_trained_on():
    """On JAX a step gives the buffers of all variables away; one that both networks held would fail here."""
    module = Averaged(decay=None)
    update_average(module.average, module.network, 0.0)
    before = values(module.average)
    module.fit(tiny_images(16), batch_size=8, epochs=2, verbose=0)
    for (name, one), (_, other) in zip(values(module.average), before, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_a_network_of_other_variables_is_refused():
    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="other")
    with pytest.raises(ValueError, match=r"'other' are not those of 'sequential.*; make it with averaging_copy"):
        update_average(other, network(), 0.9)


def test_variables_of_half_precision_are_refused_and_mixed_precision_is_not():
    half = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype="bfloat16")])
    with pytest.raises(
        ValueError, match=r"kernel is bfloat16, .*policy mixed_bfloat16, which keeps variables in float32"
    ):
        update_average(averaging_copy(half), half, 0.9)
    mixed = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype="mixed_bfloat16")])
    update_average(averaging_copy(mixed), mixed, 0.9)
