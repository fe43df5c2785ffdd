import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends, losses
from kerasgan.testing import tiny_images

SLOPE = np.array([[2.0, 0.0], [-1.0, 2.0]], "float32")[..., None]  # (height, width, channels), of length 3
IMAGES = np.stack([np.full((2, 2, 1), 1.0), np.full((2, 2, 1), -2.0)]).astype("float32")  # of lengths 2 and 4
FAKES = np.stack([np.full((2, 2, 1), 3.0), np.full((2, 2, 1), 0.5)]).astype("float32")  # of lengths 6 and 1


def value(tensor):
    return float(ops.convert_to_numpy(tensor))


def linear(x):
    return ops.sum(SLOPE * x, axis=(1, 2, 3))


def quadratic(x):
    """Has the gradient x."""
    return 0.5 * ops.sum(ops.square(x), axis=(1, 2, 3))


def seeds():
    return keras.random.SeedGenerator(0)


def penalty_of(name, score, images=IMAGES, fakes=FAKES):
    return value(losses.gradient_penalty(name)(kg.grad, score, images, fakes, seeds()))


@pytest.mark.parametrize(("name", "expected"), [("r1", 4.5), ("r2", 4.5), ("wgan_gp", 4.0), ("dragan", 4.0)])
def test_of_a_linear_discriminator_each_is_the_same_everywhere(name, expected):
    # 3 squared by 2; (3 - 1) squared
    assert penalty_of(name, linear) == pytest.approx(expected, rel=1e-6)


def test_r1_is_taken_at_the_images_and_r2_at_the_fakes():
    assert penalty_of("r1", quadratic) == pytest.approx((4 + 16) / 4, rel=1e-6)
    assert penalty_of("r2", quadratic) == pytest.approx((36 + 1) / 4, rel=1e-6)


def test_interpolates_lie_between_image_and_fake():
    shares = np.array([0.25, 1.0], "float32").reshape(2, 1, 1, 1)
    points = ops.convert_to_numpy(losses.interpolates(IMAGES, FAKES, shares))
    np.testing.assert_allclose(points[0], np.full((2, 2, 1), 1.5))
    np.testing.assert_allclose(points[1], FAKES[1])
    # Of lengths 3 and 1.
    assert value(losses.one_centered_penalty(kg.grad(quadratic, points))) == pytest.approx((4 + 0) / 2, abs=1e-5)


def test_noisy_neighbours_lie_half_a_standard_deviation_of_all_pixels_away_at_most():
    shares = np.array([0.0, 0.5], "float32").reshape(2, 1, 1, 1)
    points = ops.convert_to_numpy(losses.noisy_neighbours(IMAGES, np.ones_like(IMAGES), shares))
    np.testing.assert_array_equal(points[0], IMAGES[0])
    np.testing.assert_allclose(points[1], IMAGES[1] + 0.5 * 0.5 * 1.5)  # 1 and -2 deviate by 1.5


def points_of(name, images, fakes):
    return ops.convert_to_numpy(losses.gradient_penalty(name).points(images, fakes, seeds()))


def test_the_random_points_differ_from_image_to_image_and_stay_where_they_belong():
    zeros, ones = np.zeros((64, 2, 2, 1), "float32"), np.ones((64, 2, 2, 1), "float32")
    shares = points_of("wgan_gp", zeros, ones)
    assert len(np.unique(shares)) == 64  # one for all pixels of an image
    assert 0 <= shares.min() < 0.1 and 0.9 < shares.max() <= 1
    mixed = np.concatenate([zeros, ones])
    moved = points_of("dragan", mixed, mixed) - mixed
    assert len(np.unique(moved)) > 256
    assert moved.min() >= 0 and 0.2 < moved.max() <= 0.25 + 1e-6  # a share of half of 0.5


def test_a_discriminator_without_slope_pays_one_and_its_penalty_has_a_finite_slope():
    assert penalty_of("wgan_gp", lambda x: 0 * linear(x)) == pytest.approx(1.0, abs=1e-5)
    flat = np.zeros((2, 2, 2, 1), "float32")
    np.testing.assert_array_equal(kg.grad(losses.one_centered_penalty, flat), flat)


def test_sums_are_float32_where_gradients_are_bfloat16():
    gradients = ops.ones((2, 64, 64, 1), "bfloat16")
    for penalty, expected in ((losses.zero_centered_penalty, 2048.0), (losses.one_centered_penalty, 63.0**2)):
        result = penalty(gradients)
        assert keras.backend.standardize_dtype(result.dtype) == "float32"
        assert value(result) == pytest.approx(expected, rel=1e-6)  # in bfloat16, 4096 ones may sum up to 256


@pytest.mark.parametrize("penalty", [losses.zero_centered_penalty, losses.one_centered_penalty])
def test_float16_gradients_are_refused(penalty):
    with pytest.raises(ValueError, match=r"float16, in which the square of 256 is infinite; take them with kg\.grad"):
        penalty(np.ones((2, 3), "float16"))


def dense(policy):
    return keras.layers.Dense(4, dtype=policy, name=f"dense_{policy}")


def test_networks_that_compute_in_float16_are_refused_however_deep():
    inner = keras.Sequential([keras.Input((4,)), dense("float32"), dense("mixed_float16")], name="inner")
    network = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(1)], name="critic")
    with pytest.raises(
        ValueError, match=r"dense_mixed_float16 of critic computes in float16.*mixed_bfloat16 or float32"
    ):
        losses.refuse_float16(network)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_networks_of_other_precisions_pass(policy):
    losses.refuse_float16(keras.Sequential([keras.Input((4,)), dense(policy)]))


def test_images_and_fakes_of_different_shape_are_refused():
    with pytest.raises(ValueError, match=r"images \(2, 2, 2, 1\) and fakes \(1, 2, 2, 1\) differ in shape"):
        penalty_of("wgan_gp", linear, IMAGES, FAKES[:1])
    with pytest.raises(ValueError, match=r"images \(2, 2, 2, 1\) and noise \(1, 2, 2, 1\) differ in shape"):
        losses.noisy_neighbours(IMAGES, FAKES[:1], 0.0)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="penalty 'r3' is unknown; choose one of r1, r2, wgan_gp, dragan"):
        losses.gradient_penalty("r3")


def curved(image_shape):
    """A critic whose slope depends on where it is taken."""
    return keras.Sequential(
        [
            keras.Input(image_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(8, "tanh", kernel_initializer=keras.initializers.RandomNormal(0.0, 0.5, seed=1)),
            keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(0.0, 2.0, seed=2)),
        ]
    )


@pytest.mark.parametrize("name", losses.GRADIENT_PENALTIES)
def test_the_gradient_of_a_penalty_by_the_weights_agrees_with_finite_differences(name):
    network = curved((2, 2, 1))
    kernel = network.layers[1].kernel

    def penalty():
        return losses.gradient_penalty(name)(kg.grad, network, IMAGES, FAKES, seeds())

    _, gradients = backends.player_gradients(lambda: ({"critic": penalty()},) * 2, {"critic": [kernel]})
    direction = np.random.default_rng(1).standard_normal(kernel.shape).astype("float32")
    start, h, ends = ops.convert_to_numpy(kernel), 1e-3, []
    for sign in (1, -1):
        kernel.assign(start + sign * h * direction)
        ends.append(value(penalty()))
    slope = float(np.sum(ops.convert_to_numpy(gradients["critic"][0]) * direction))
    assert abs(slope) > 0.1
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-2)


class Regularised(kg.Module):
    """A generator and a critic that learn from a penalty alone, in one simultaneous update."""

    def __init__(self, name):
        super().__init__()
        self.generator = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Dense(1, name="scale")])
        self.critic = curved((8, 8, 1))
        self.penalty, self.seed_generator = losses.gradient_penalty(name), seeds()
        self.compile(optimizer={player: keras.optimizers.SGD(0.05) for player in ("generator", "critic")})

    def training_step(self, images):
        self.minimize(lambda: dict.fromkeys(("generator", "critic"), self.loss_of(images)))

    def loss_of(self, images):
        fakes = self.generator(images)
        return self.penalty(kg.grad, lambda x: self.critic(x, training=True), images, fakes, self.seed_generator)


@pytest.mark.parametrize("name", losses.GRADIENT_PENALTIES)
def test_a_compiled_step_lowers_it_and_leaves_the_generator_alone(name):
    module = Regularised(name)
    before = module.generator.get_weights()
    history = module.fit(tiny_images(16), batch_size=16, epochs=10, shuffle=False, verbose=0).history["critic_loss"]
    assert history[-1] < 0.9 * history[0]
    np.testing.assert_array_equal(module.generator.get_weights()[0], before[0])
