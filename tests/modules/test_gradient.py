import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.testing import tiny_discriminator, tiny_images


def to_numpy(tensor):
    return ops.convert_to_numpy(tensor)


def test_it_is_the_gradient_of_the_sum():
    x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
    np.testing.assert_allclose(to_numpy(kg.grad(lambda t: t**3, x)), 3 * x**2, rtol=1e-6)


def test_second_order():
    x = np.array([1.0, 2.0, 3.0], "float32")
    second = kg.grad(lambda t: kg.grad(lambda u: u**3, t), x)
    np.testing.assert_allclose(to_numpy(second), 6 * x, rtol=1e-6)


def test_where_the_output_does_not_depend_on_x_it_is_zero():
    x = np.ones((2, 2), "float32")
    np.testing.assert_array_equal(to_numpy(kg.grad(lambda t: ops.ones((3,)), x)), np.zeros((2, 2)))


def test_integers_are_refused():
    with pytest.raises(TypeError, match="dtype int32; cast it to float32"):
        kg.grad(lambda t: t, np.array([1, 2], "int32"))


def moving_mean_after(training, steps_with_gradient):
    network = tiny_discriminator(batch_normalization=True)
    images = tiny_images(8)
    if steps_with_gradient:
        kg.grad(lambda x: network(x, training=training), images)
    else:
        network(images, training=training)
    return to_numpy(network.layers[2].moving_mean)


def test_a_nested_pass_moves_the_averages_exactly_as_a_plain_call():
    np.testing.assert_array_equal(moving_mean_after(True, True), moving_mean_after(True, False))
    assert np.abs(moving_mean_after(True, True)).max() > 0


def test_a_nested_pass_with_training_off_leaves_the_averages_alone():
    np.testing.assert_array_equal(moving_mean_after(False, True), np.zeros(16))


def test_dropout_inside_advances_its_stream():
    network = tiny_discriminator(dropout=0.5)
    images = tiny_images(8)
    first, second = (to_numpy(kg.grad(lambda x: network(x, training=True), images)) for _ in range(2))
    assert not np.array_equal(first, second)


class Penalised(kg.Module):
    """One critic with BatchNormalization and Dropout, trained by R1 alone, so that only the gradient counts."""

    def __init__(self, training=True):
        super().__init__()
        self.critic = tiny_discriminator("critic", batch_normalization=True)
        self.training_flag = training
        self.compile(optimizer={"critic": keras.optimizers.SGD(0.1)})

    def training_step(self, images):
        self.minimize(lambda: {"critic": self.penalty(images)})

    def penalty(self, images):
        slopes = kg.grad(lambda x: self.critic(x, training=self.training_flag), images)
        return ops.mean(ops.sum(ops.square(slopes), axis=(1, 2, 3)))


@pytest.mark.parametrize("training", [True, False])
def test_inside_a_loss_the_averages_follow_the_same_rule(training):
    module = Penalised(training)
    weights = [to_numpy(v) for v in module.critic.trainable_variables]
    module.fit(tiny_images(16), batch_size=8, verbose=0)
    assert any(
        not np.array_equal(w, to_numpy(v)) for w, v in zip(weights, module.critic.trainable_variables, strict=True)
    )
    moved = np.abs(to_numpy(module.critic.layers[2].moving_mean)).max() > 0
    assert moved == training


def test_the_gradient_of_a_penalty_agrees_with_finite_differences():
    network = tiny_discriminator(dropout=0.0)
    images = tiny_images(4)
    kernel = network.layers[-1].kernel

    def penalty():
        return ops.sum(ops.square(kg.grad(network, images)))

    def forward():
        return ({"critic": penalty()},) * 2

    _, gradients = backends.player_gradients(forward, {"critic": [kernel]})
    direction = np.random.default_rng(0).standard_normal(kernel.shape).astype("float32")
    value, h = to_numpy(kernel), 1e-3
    kernel.assign(value + h * direction)
    above = float(penalty())
    kernel.assign(value - h * direction)
    below = float(penalty())
    kernel.assign(value)
    analytic = float(np.sum(to_numpy(gradients["critic"][0]) * direction))
    assert analytic == pytest.approx((above - below) / (2 * h), rel=1e-2)


@pytest.mark.parametrize(
    "normalization",
    [keras.layers.BatchNormalization, lambda: keras.layers.GroupNormalization(2), lambda: None],
    ids=["batch", "group", "none"],
)
def test_second_order_through_a_normalization_agrees_with_finite_differences(normalization):
    """TensorFlow's tf.nn.moments has a wrong second derivative; without the mend in backends this fails there."""
    layers = [keras.layers.Dense(8), normalization()]
    layers += [keras.layers.Activation("tanh"), keras.layers.Dense(1, kernel_initializer=keras.initializers.Ones())]
    network = keras.Sequential([keras.Input((5,)), *(layer for layer in layers if layer is not None)])
    kernel, x = network.layers[0].kernel, np.random.default_rng(0).standard_normal((6, 5)).astype("float32")

    kernel.assign(0.5 * np.random.default_rng(3).standard_normal(kernel.shape))

    def penalty():
        return ops.sum(ops.square(kg.grad(lambda t: network(t, training=True), x)))

    _, gradients = backends.player_gradients(lambda: ({"net": penalty()},) * 2, {"net": [kernel]})
    direction = np.random.default_rng(1).standard_normal(kernel.shape).astype("float32")
    value, h = to_numpy(kernel), 1e-3
    ends = []
    for sign in (1, -1):
        kernel.assign(value + sign * h * direction)
        ends.append(float(to_numpy(penalty())))
    expected = (ends[0] - ends[1]) / (2 * h)
    assert float(np.sum(to_numpy(gradients["net"][0]) * direction)) == pytest.approx(expected, rel=2e-2)
