import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.networks import dcgan


def layer_names(network):
    return [type(layer).__name__ for layer in network.layers]


def test_at_28_pixels_the_generator_is_the_workshops():
    generator = dcgan.generator()
    assert layer_names(generator) == [
        "InputLayer", "Dense", "BatchNormalization", "LeakyReLU", "Reshape",
        "Conv2DTranspose", "BatchNormalization", "LeakyReLU",
        "Conv2DTranspose", "BatchNormalization", "LeakyReLU", "Conv2DTranspose",
    ]  # fmt: skip
    dense, *convolutions = [
        layer for layer in generator.layers if "kernel_size" in vars(layer) or hasattr(layer, "units")
    ]
    assert dense.units == 7 * 7 * 256
    assert [(c.filters, c.kernel_size, c.strides) for c in convolutions] == [
        (128, (5, 5), (1, 1)), (64, (5, 5), (2, 2)), (1, (5, 5), (2, 2)),
    ]  # fmt: skip
    assert not any(layer.use_bias for layer in (dense, *convolutions))
    # The workshop text prints 2,330,944 parameters, 25,472 of them averages.
    assert generator.count_params() == 2_330_944


def test_at_28_pixels_the_discriminator_is_the_workshops():
    discriminator = dcgan.discriminator()
    assert layer_names(discriminator) == [
        "InputLayer", "Conv2D", "LeakyReLU", "Dropout", "Conv2D", "LeakyReLU", "Dropout", "Flatten", "Dense",
    ]  # fmt: skip
    assert discriminator.count_params() == 212_865


@pytest.mark.parametrize("side", [4, 12, 28, 32, 36, 64, 100, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_gives_images_of_that_size_that_can_be_scored(side, channels):
    shape = (side, side, channels)
    generator, discriminator = dcgan.generator(shape, 8), dcgan.discriminator(shape)
    assert generator.output_shape == (None, *shape)
    assert discriminator.output_shape == (None, 1)
    if side <= 36:
        images = generator(np.zeros((2, 8), "float32"))
        assert discriminator(images).shape == (2, 1)
        assert np.abs(keras.ops.convert_to_numpy(images)).max() <= 1.0


def test_a_large_image_is_halved_until_eight_pixels_remain():
    reshape = next(layer for layer in dcgan.generator((128, 128, 3), 8).layers if hasattr(layer, "target_shape"))
    assert reshape.target_shape == (8, 8, 512)


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        ((28, 32, 1), "square"),
        ((30, 30, 1), "multiple of 4"),
        ((132, 132, 1), "multiple of 4 from 4 to 128"),
        ((28, 28), "square"),
        ((28, 28, 0), "channel"),
    ],
)
def test_other_shapes_are_refused_with_what_would_be_right(shape, complaint):
    for build in (dcgan.generator, dcgan.discriminator, kg.GAN.dcgan):
        with pytest.raises(ValueError, match=complaint):
            build(shape)


def test_planes_of_labels_are_judged_but_not_made():
    assert dcgan.discriminator((28, 28, 11)).input_shape == (None, 28, 28, 11)
    with pytest.raises(ValueError, match="channels must be 1"):
        dcgan.generator((28, 28, 11))


def test_spectral_normalization_holds_every_kernel_of_the_discriminator():
    network = dcgan.discriminator((8, 8, 1), spectral_normalization=True)
    held = [layer for layer in network.layers if isinstance(layer, kg.layers.SpectralNormalization)]
    kernels = [variable for variable in network.trainable_variables if len(variable.shape) > 1]
    assert len(held) == len(kernels) == 3


def test_a_latent_dim_of_zero_is_refused():
    with pytest.raises(ValueError, match="latent_dim is 0; choose a positive integer such as 100"):
        dcgan.generator(latent_dim=0)
