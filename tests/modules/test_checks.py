"""Mistakes that would train for hours, each told before it does."""

import keras
import numpy as np
import pytest
from keras import layers

import kerasgan as kg
from kerasgan.networks import conditional
from kerasgan.testing import tiny_discriminator, tiny_gan, tiny_generator, tiny_images

IMAGES = tiny_images(32)


def judge(*last, wrap=lambda layer: layer):
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), wrap(layers.Dense(1)), *last])


class Subclassed(keras.Model):
    def call(self, images):
        return keras.ops.mean(images, axis=(1, 2))


def test_images_of_another_scale_are_refused_before_training():
    gan = tiny_gan()
    with pytest.raises(ValueError, match=r"the images are floats up to 255, and a generator makes floats in \[-1, 1\]"):
        gan.fit((IMAGES + 1) * 127.5, batch_size=8, verbose=0)
    assert gan.global_step == 0


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (IMAGES[..., 0], r"shape \(8, 8\), and the generator makes \(8, 8, 1\); give images\[..., None\]"),
        (IMAGES[:, :4, :4], r"shape \(4, 4, 1\), and the generator makes \(8, 8, 1\); give such images, or build"),
    ],
    ids=["no channel axis", "another size"],
)
def test_images_of_another_shape_are_refused_in_the_first_step(images, said):
    gan = tiny_gan()
    for source, options in ((images, {"batch_size": 8}), (((images[:8],) for _ in range(4)), {"shuffle": False})):
        with pytest.raises(ValueError, match=said):
            gan.fit(source, verbose=0, **options)
    assert gan.global_step == 0


def test_a_gan_of_ones_own_may_read_images_of_another_shape():
    class Enlarging(kg.GAN):
        def read(self, batch):
            images, labels = super().read(batch)
            return keras.ops.repeat(keras.ops.repeat(images, 2, axis=1), 2, axis=2)[..., None], labels

    gan = Enlarging(tiny_generator(), tiny_discriminator())
    gan.compile(optimizer={player: keras.optimizers.SGD() for player in ("generator", "discriminator")})
    gan.fit(IMAGES[:, ::2, ::2, 0], batch_size=8, verbose=0)
    assert gan.global_step == 4


def test_images_from_zero_to_one_are_warned_of():
    with pytest.warns(UserWarning, match=r"the images lie in \[0, 1\].* give 2 \* images - 1"):
        tiny_gan().fit((IMAGES + 1) / 2, batch_size=8, verbose=0)


def test_standardized_images_and_a_few_bright_pixels_are_taken():
    images = np.random.default_rng(0).standard_normal((32, 8, 8, 1)).astype("float32")
    images[0, 0, 0] = 9.0
    tiny_gan().fit(images, batch_size=8, verbose=0)


def test_points_of_a_plane_are_no_images():
    generator, judge_of_points = (
        keras.Sequential([keras.Input((2,)), layers.Dense(8, activation="tanh"), layers.Dense(size)]) for size in (2, 1)
    )
    gan = kg.GAN(generator, judge_of_points)
    gan.compile(optimizer={player: keras.optimizers.SGD() for player in ("generator", "discriminator")})
    gan.fit(np.full((16, 2), 10.0, "float32"), batch_size=8, verbose=0)
    assert gan.global_step == 2


def test_weights_of_samples_are_refused():
    with pytest.raises(ValueError, match="know no sample_weight or class_weight"):
        tiny_gan().fit(IMAGES, np.zeros(32), sample_weight=np.ones(32), batch_size=8, verbose=0)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_subclassed_network_is_refused(player):
    networks = {"generator": tiny_generator(), "discriminator": tiny_discriminator(), player: Subclassed(name="mine")}
    with pytest.raises(ValueError, match=f"The {player} 'mine' does not say what it takes; give a functional or seq"):
        kg.GAN(**networks)


@pytest.mark.parametrize("last", [layers.Activation("sigmoid"), layers.Activation("softmax"), layers.Softmax()])
def test_a_discriminator_that_ends_in_probabilities_is_warned_of(last):
    name = "softmax" if isinstance(last, layers.Softmax) else last.activation.__name__
    with pytest.warns(UserWarning, match=f"ends in a {name}, and the losses expect logits"):
        kg.GAN(tiny_generator(), judge(last))


@pytest.mark.parametrize(("heads", "name"), [(("sigmoid", None), "sigmoid"), ((None, "softmax"), "softmax")])
def test_probabilities_of_either_head_are_warned_of(heads, name):
    images = keras.Input((8, 8, 1))
    features = layers.Dense(8)(layers.Flatten()(images))
    outputs = [layers.Dense(n, activation=head)(features) for n, head in zip((1, 3), heads, strict=True)]
    network = keras.Sequential([keras.Input((7,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
    with pytest.warns(UserWarning, match=f"ends in a {name}"):
        kg.ConditionalGAN(conditional.generator(network, 3), keras.Model(images, outputs), num_classes=3)


def test_a_sigmoid_of_a_network_within_is_warned_of():
    images = keras.Input((8, 8, 1))
    with pytest.warns(UserWarning, match="ends in a sigmoid"):
        kg.GAN(tiny_generator(), keras.Model(images, judge(layers.Activation("sigmoid"))(images)))


def test_a_wasserstein_critic_that_something_bounds_is_not_warned_of():
    constrained = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(1, kernel_constraint=kg.layers.WeightClip(0.01)),
        ]
    )
    kg.GAN(tiny_generator(), constrained, loss="wasserstein")  # warnings are errors here
    kg.GAN(tiny_generator(), judge(), loss="wasserstein", penalties="dragan")
    kg.GAN(tiny_generator(), judge(wrap=kg.layers.SpectralNormalization), loss="wasserstein")


def test_the_spectral_normalization_of_keras_is_warned_of():
    with pytest.warns(UserWarning, match=r"learns other weights on JAX than on TensorFlow; take kerasgan\.layers"):
        kg.GAN(tiny_generator(), judge(wrap=layers.SpectralNormalization))


@pytest.mark.parametrize("kind", [conditional.auxiliary_classifier, conditional.projection_discriminator])
def test_networks_that_know_fewer_classes_are_refused(kind):
    network = keras.Sequential([keras.Input((7,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
    generator = conditional.generator(network, 3)
    wrap = kg.layers.SpectralNormalization
    with pytest.raises(ValueError, match="num_classes is 4, and a network takes labels of 3 classes"):
        kg.ConditionalGAN(generator, kind(judge(wrap=wrap), 4), num_classes=4)


def test_labels_in_any_array_are_looked_at():
    network = keras.Sequential([keras.Input((7,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
    gan = kg.ConditionalGAN(
        conditional.generator(network, 3), conditional.projection_discriminator(judge(), 3), num_classes=3
    )
    gan.compile(optimizer={player: keras.optimizers.SGD() for player in ("generator", "discriminator")})
    with pytest.raises(ValueError, match="labels hold 3; the classes of this network go from 0 to 2"):
        gan.fit(IMAGES, keras.ops.convert_to_tensor(np.arange(32) % 3 + 1), batch_size=8, verbose=0)
