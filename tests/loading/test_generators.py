"""A generator out of a file draws what the GAN drew that exported it."""

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.networks import conditional


def painter(latents):
    layers = [keras.Input((latents,)), keras.layers.Dense(8 * 8, activation="tanh"), keras.layers.Reshape((8, 8, 1))]
    return keras.Sequential(layers, name="generator")


def judge(channels=1):
    layers = [keras.Input((8, 8, channels)), keras.layers.Flatten(), keras.layers.Dense(1)]
    return keras.Sequential(layers, name="discriminator")


def test_it_draws_the_images_of_the_gan(tmp_path):
    gan = kg.GAN(painter(4), judge(), seed=0)
    gan.generator.save(tmp_path / "generator.keras")
    saved = kg.load_generator(tmp_path / "generator.keras", trust=True)
    assert (saved.latent_dim, saved.image_shape, saved.takes_labels) == (4, (8, 8, 1), False)
    np.testing.assert_array_equal(saved.generate(300, seed=3), gan.generate(300, seed=3))
    assert not np.array_equal(saved.generate(300, seed=4), gan.generate(300, seed=3))
    with pytest.raises(ValueError, match="takes no labels"):
        saved.generate(2, labels=np.zeros(2, int))


def test_one_that_takes_labels_shows_what_it_is_asked_for(tmp_path):
    gan = kg.ConditionalGAN(
        conditional.generator(painter(4 + 3), 3), conditional.discriminator(judge(1 + 3), 3), num_classes=3, seed=0
    )
    gan.generator.save(tmp_path / "generator.keras")
    saved = kg.load_generator(tmp_path / "generator.keras", trust=True)
    assert (saved.latent_dim, saved.takes_labels) == (4, True)
    labels = np.array([2, 0, 1, 2])
    images = saved.generate(4, seed=3, labels=labels)
    np.testing.assert_array_equal(images, gan.generate(4, seed=3, labels=labels))
    assert not np.array_equal(images, gan.generate(4, seed=3, labels=np.zeros(4, int)))
    with pytest.raises(ValueError, match="needs labels"):
        saved.generate(4)


def test_a_network_of_another_kind_is_refused_in_one_line(tmp_path):
    judge().save(tmp_path / "judge.keras")
    with pytest.raises(kg.TrustError, match=r"judge.keras: maps \[\(None, 8, 8, 1\)\] to \[\(None, 1\)\]; name a"):
        kg.load_generator(tmp_path / "judge.keras", trust=True)
    with pytest.raises(kg.TrustError, match="comes from elsewhere"):
        kg.load_generator(tmp_path / "judge.keras")
