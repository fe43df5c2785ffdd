import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import backends
from kerasgan.networks import residual

LOADING = """
import sys
import keras, numpy as np
network = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[2], network.predict(np.load(sys.argv[3]), verbose=0))
assert "kerasgan" not in sys.modules
"""


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("side", [8, 10, 12, 14, 28, 32, 64, 96, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_gives_images_of_that_size_that_can_be_scored(side, channels):
    shape = (side, side, channels)
    generator, discriminator = residual.generator(shape, 8, width=2), residual.discriminator(shape, width=2)
    assert generator.output_shape == (None, *shape)
    assert discriminator.output_shape == (None, 1)
    if side <= 32:
        images = numbers(generator(normal(2, 8)))
        assert np.abs(images).max() <= 1.0 and images.std() > 0.05
        assert discriminator(images).shape == (2, 1)


@pytest.mark.parametrize(("side", "base"), [(28, 7), (32, 4), (64, 4), (96, 6), (128, 4), (80, 5)])
def test_the_smallest_pictures_have_four_to_seven_pixels_a_side(side, base):
    generator = residual.generator((side, side, 1), 8, width=2)
    picture = next(layer for layer in generator.layers if isinstance(layer, keras.layers.EinsumDense))
    assert picture.output.shape[1:3] == (base, base)


def test_the_channels_double_whenever_the_side_is_halved_up_to_the_widest():
    assert residual.Plan.of((64, 64, 1), 100, 1, 1, 1).widths == [100, 200, 400, 512, 512]
    assert residual.Plan.of((16, 16, 1), 600, 1, 1, 1).widths == [600, 600, 600]


def test_parameters_of_a_small_pair_are_those_counted_by_hand():
    # 16x16, width 2: 2 channels at 16x16, 4 at 8x8, 8 at 4x4; two blocks a stage, twice as wide inside, two groups.
    options = {"width": 2, "blocks": 2, "expansion": 2, "cardinality": 2}
    blocks = sum(
        2 * (c * 2 * c + 2 * c + 9 * 2 * c * c + 2 * c + 2 * c * c)  # 1x1 and bias, 3x3 in two groups and bias, 1x1
        for c in (2, 4, 8)
    )
    transitions = 8 * 4 + 4 * 2
    generator = residual.generator((16, 16, 3), 5, **options)
    assert generator.count_params() == 5 * 8 + 4 * 4 * 8 + blocks + transitions + 2 * 3
    discriminator = residual.discriminator((16, 16, 3), **options)
    assert discriminator.count_params() == 3 * 2 + blocks + transitions + 4 * 4 * 8 + 8


def test_with_the_defaults_both_have_about_a_million_parameters():
    assert residual.generator().count_params() == 1_021_920
    assert residual.discriminator().count_params() == 1_005_792


def blocks_of(network):
    """Pairs of layers: what adds a block's result to its input, and the block's last convolution."""
    layers = network.layers
    return [(layer, layers[layers.index(layer) - 1]) for layer in layers if isinstance(layer, keras.layers.Add)]


def test_a_block_starts_as_the_identity_and_does_not_stay_one():
    network = residual.discriminator((8, 8, 1), width=3, blocks=2)
    add, last = blocks_of(network)[0]
    parts = keras.Model(network.input, [add.input[0], add.output])
    before, after = parts(normal(2, 8, 8, 1))
    assert numbers(before).any()
    np.testing.assert_array_equal(numbers(before), numbers(after))
    last.kernel.assign(normal(*last.kernel.shape))
    before, after = parts(normal(2, 8, 8, 1))
    assert np.abs(numbers(after) - numbers(before)).max() > 0.1


def test_kernels_in_blocks_start_smaller_the_more_blocks_there_are():
    def spread(blocks):
        network = residual.discriminator((8, 8, 1), width=64, blocks=blocks)
        kernel = next(layer.kernel for layer in network.layers if getattr(layer, "kernel_size", None) == (3, 3))
        return numbers(kernel).std()

    # He's for this slope at fan-in 9 * 64, times (2 stages * blocks) ** -1/4.
    he = np.sqrt(2 / (1 + 0.2**2) / (9 * 64))
    assert spread(1) == pytest.approx(he * 2**-0.25, rel=0.02)
    assert spread(8) == pytest.approx(he * 16**-0.25, rel=0.02)


def test_nothing_normalizes_over_the_batch():
    generator, discriminator = residual.generator((16, 16, 1), 8, width=2), residual.discriminator((16, 16, 1), width=2)
    assert not generator.non_trainable_variables and not discriminator.non_trainable_variables
    both, alone = numbers(generator(normal(2, 8))), numbers(generator(normal(2, 8)[:1]))
    np.testing.assert_allclose(both[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spectral_normalization", [False, True])
def test_gradients_of_scores_and_of_a_gradient_penalty_are_finite(spectral_normalization):
    generator = residual.generator((8, 8, 1), 4, width=2)
    discriminator = residual.discriminator((8, 8, 1), width=2, spectral_normalization=spectral_normalization)
    for network in (generator, discriminator):
        for _, last in blocks_of(network):
            if hasattr(last, "kernel_size"):
                last.kernel.assign(normal(*last.kernel.shape) * 0.3)
    real = ops.convert_to_tensor(normal(3, 8, 8, 1))

    def forward():
        score = ops.mean(discriminator(generator(ops.convert_to_tensor(normal(3, 4))), training=True))
        slopes = kg.grad(lambda images: discriminator(images, training=True), real)
        losses = {"generator": -score, "discriminator": score + ops.mean(ops.square(slopes))}
        return losses, losses

    players = {"generator": generator.trainable_variables, "discriminator": discriminator.trainable_variables}
    _, gradients = backends.player_gradients(forward, players)
    for player, variables in players.items():
        assert len(gradients[player]) == len(variables)
        for gradient in gradients[player]:
            assert np.isfinite(numbers(gradient)).all() and numbers(gradient).any()


def test_spectral_normalization_wraps_every_kernel():
    network = residual.discriminator((16, 16, 1), width=2, spectral_normalization=True)
    with_kernels = [layer for layer in network.layers if layer.trainable_variables]
    assert with_kernels and all(isinstance(layer, kg.layers.SpectralNormalization) for layer in with_kernels)
    plain = residual.discriminator((16, 16, 1), width=2)
    vectors = sum(layer.vector_u.shape[1] for layer in with_kernels)
    assert network.count_params() == plain.count_params() + vectors
    # No kernel of zeros: it has no singular value to be divided by.
    assert all(numbers(layer.kernel).any() for layer in with_kernels)


@pytest.mark.parametrize(
    "build",
    [
        lambda: residual.generator((8, 8, 3), 4, width=4, cardinality=2, output_activation=None),
        lambda: residual.discriminator((8, 8, 3), width=2, spectral_normalization=True),
    ],
)
def test_the_configuration_rebuilds_the_network(build):
    network = build()
    again = network.__class__.from_config(network.get_config())
    again.set_weights(network.get_weights())
    inputs = normal(2, *network.input_shape[1:])
    np.testing.assert_array_equal(numbers(again(inputs)), numbers(network(inputs)))


def test_an_exported_generator_loads_where_kerasgan_is_not(tmp_path):
    network, latents = residual.generator((8, 8, 1), 4, width=2), normal(2, 4)
    kg.layers.to_stock(network).save(tmp_path / "generator.keras")
    np.save(tmp_path / "latents.npy", latents)
    names = [str(tmp_path / name) for name in ("generator.keras", "images.npy", "latents.npy")]
    finished = subprocess.run(
        [sys.executable, "-c", LOADING, *names], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    np.testing.assert_allclose(np.load(tmp_path / "images.npy"), numbers(network(latents)), rtol=1e-4, atol=1e-5)


def test_images_and_logits_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator, discriminator = residual.generator((8, 8, 1), 4, width=2), residual.discriminator((8, 8, 1), width=2)
    finally:
        keras.config.set_dtype_policy("float32")
    for network, inputs in ((generator, normal(2, 4)), (discriminator, normal(2, 8, 8, 1))):
        assert network.layers[2].compute_dtype == "bfloat16"
        assert keras.backend.standardize_dtype(network(inputs).dtype) == "float32"


@pytest.mark.parametrize(
    ("shape", "options", "complaint"),
    [
        ((32, 64, 1), {}, r"image_shape is \(32, 64, 1\); give \(side, side, channels\)"),
        ((32, 32), {}, r"give \(side, side, channels\)"),
        ((36, 36, 1), {}, "the side must be 4, 5, 6 or 7 times a power of two, from 8 to 128"),
        ((256, 256, 1), {}, "from 8 to 128"),
        ((7, 7, 1), {}, "from 8 to 128"),
        ((32, 32, 1), {"width": 0}, "width is 0; choose a positive integer"),
        ((32, 32, 1), {"blocks": 0}, "blocks is 0"),
        ((32, 32, 1), {"width": 6, "cardinality": 4}, r"cardinality is 4; choose a divisor of 6, 12, 24, 48"),
        ((64, 64, 3), {"width": 96, "cardinality": 96}, r"cardinality is 96; choose a divisor of 96, 192, 384, 512"),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_would_be_right(shape, options, complaint):
    for build in (residual.generator, residual.discriminator):
        with pytest.raises(ValueError, match=complaint) as caught:
            build(shape, **options)
        assert "\n" not in str(caught.value)


def test_a_generator_makes_grey_or_colour_from_at_least_one_latent():
    with pytest.raises(ValueError, match="channels must be 1"):
        residual.generator((32, 32, 2))
    with pytest.raises(ValueError, match="latent_dim is 0; choose a positive integer such as 64"):
        residual.generator(latent_dim=0)
