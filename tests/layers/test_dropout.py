import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg


def dropped(rate, shape=(64, 64, 64), seed=0, draws=1, **options):
    """The masks of some draws: 0 where an element is dropped."""
    layer = kg.layers.Dropout(rate, seed=seed, **options)
    return [ops.convert_to_numpy(layer(np.ones(shape, "float32"), training=True)) for _ in range(draws)]


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.97])
def test_the_share_that_is_dropped_is_the_rate_and_the_mean_is_kept(rate):
    (mask,) = dropped(rate)
    # Four standard deviations of a share of 2**18 independent draws.
    assert abs((mask == 0).mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / mask.size)
    np.testing.assert_allclose(mask[mask != 0], 1 / (1 - rate), rtol=1e-6)


def test_neighbours_and_draws_do_not_depend_on_each_other():
    first, second = (mask.ravel() == 0 for mask in dropped(0.5, draws=2))
    chance = 4 * 0.5 / np.sqrt(first.size)
    for distance in (1, 2, 64, 4096):
        assert abs((first[distance:] == first[:-distance]).mean() - 0.5) < chance
        assert abs((first[distance:] == second[:-distance]).mean() - 0.5) < chance
    assert abs((first == second).mean() - 0.5) < chance
    (other,) = dropped(0.5, seed=1)
    assert abs((first == (other.ravel() == 0)).mean() - 0.5) < chance


def test_equal_seeds_give_equal_masks_and_the_next_draw_another():
    first, again = dropped(0.5, draws=2), dropped(0.5, draws=2)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()


def test_the_noise_shape_is_shared_along_its_ones():
    (mask,) = dropped(0.5, shape=(8, 5, 16), noise_shape=(None, 1, 16))
    np.testing.assert_array_equal(mask, np.repeat(mask[:, :1], 5, axis=1))
    assert len(np.unique(mask)) == 2


def test_outside_of_training_nothing_is_dropped():
    x = np.ones((4, 4), "float32")
    for layer in (kg.layers.Dropout(0.5), kg.layers.Dropout(0.0)):
        np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(kg.layers.Dropout(0.0)(x, training=True), x)


def test_a_rate_of_one_drops_all():
    np.testing.assert_array_equal(dropped(1.0, shape=(4, 4))[0], np.zeros((4, 4)))


def test_the_gradient_passes_where_the_mask_keeps():
    x, layer, again = np.ones((8, 8), "float32"), kg.layers.Dropout(0.5, seed=3), kg.layers.Dropout(0.5, seed=3)
    gradient = kg.grad(lambda t: 3 * layer(t, training=True), x)
    np.testing.assert_allclose(gradient, 3 * ops.convert_to_numpy(again(x, training=True)))


def test_short_floats_stay_short():
    outputs = kg.layers.Dropout(0.5, dtype="mixed_bfloat16")(np.ones((4, 4), "float32"), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_it_becomes_the_stock_layer():
    network = keras.Sequential([keras.Input((6,)), kg.layers.Dropout(0.25, seed=7, name="drop")])
    (layer,) = kg.layers.to_stock(network).layers
    assert type(layer) is keras.layers.Dropout
    assert (layer.rate, layer.seed, layer.name) == (0.25, 7, "drop")
