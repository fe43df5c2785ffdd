import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import TinyWassersteinGAN, tiny_images


def test_each_element_is_held_in_the_limit():
    values = np.array([-2.0, -0.5, 0.3, 7.0], "float32")
    np.testing.assert_array_equal(kg.layers.WeightClip(0.5)(values), np.array([-0.5, -0.5, 0.3, 0.5], "float32"))


def largest(network):
    return max(np.abs(values).max() for values in map(np.asarray, network.trainable_variables))


def test_the_optimizer_clips_after_each_update_in_a_compiled_step():
    gan, free = TinyWassersteinGAN(), TinyWassersteinGAN()
    for variable in gan.critic.trainable_variables:
        variable.constraint = kg.layers.WeightClip(0.05)
    for module in (gan, free):
        module.fit(tiny_images(16), batch_size=8, verbose=0)
    assert largest(gan.critic) == np.float32(0.05)
    assert min(largest(gan.generator), largest(free.critic)) > 0.5


def test_it_is_saved_with_its_layer():
    layer = keras.layers.Dense(2, kernel_constraint=kg.layers.WeightClip(0.02))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again.kernel_constraint) is kg.layers.WeightClip
    assert again.kernel_constraint.limit == 0.02


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_a_limit_that_leaves_no_weights_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit is {limit}; choose a positive number such as 0.01"):
        kg.layers.WeightClip(limit)
