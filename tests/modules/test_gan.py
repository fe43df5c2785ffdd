import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_discriminator, tiny_gan, tiny_generator, tiny_images

IMAGES = tiny_images(32)


def test_the_recipe_is_the_workshops():
    gan = kg.GAN.dcgan()
    assert gan.players == ["generator", "discriminator"]
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert type(optimizer) is keras.optimizers.Adam
        assert float(optimizer.learning_rate.numpy()) == pytest.approx(1e-4)
    assert gan.latent_dim == 100
    assert gan.loss_name == "non_saturating"


def test_the_other_recipe_takes_small_steps_and_unknown_ones_are_named():
    gan = kg.GAN.dcgan((8, 8, 1), 4, recipe="small_steps")
    assert float(gan.generator_optimizer.learning_rate.numpy()) == pytest.approx(4e-4)
    assert gan.generator_optimizer.beta_1 == 0.5
    with pytest.raises(ValueError, match="recipe 'fast' is unknown; choose one of workshop, small_steps"):
        kg.GAN.dcgan(recipe="fast")


def test_both_players_learn_in_a_simultaneous_update():
    gan = tiny_gan()
    before = gan.get_weights()
    history = gan.fit(IMAGES, batch_size=8, epochs=3, verbose=0).history
    assert len(history["generator_loss"]) == 3
    assert sum(not np.array_equal(a, b) for a, b in zip(before, gan.get_weights(), strict=True)) == len(before)


def test_a_datas_labels_are_ignored():
    gan = tiny_gan()
    gan.fit(IMAGES, np.zeros(32), batch_size=8, verbose=0)
    assert gan.global_step == 4


def test_it_learns_the_position_of_a_square():
    """The generator's mean image must come to look like the data's: a check that can fail, in seconds."""
    keras.utils.set_random_seed(0)
    gan = tiny_gan()
    gan.compile(optimizer={p: keras.optimizers.Adam(3e-3, beta_1=0.5) for p in gan.players})
    images = tiny_images(256)

    def distance():
        return float(np.abs(gan.generate(256, seed=1).mean(axis=0) - images.mean(axis=0)).mean())

    before = distance()
    gan.fit(images, batch_size=32, epochs=30, verbose=0)
    assert distance() < 0.6 * before


@pytest.mark.parametrize("loss", kg.losses.ADVERSARIAL_LOSSES)
def test_every_loss_trains(loss):
    history = tiny_gan(loss=loss).fit(IMAGES, batch_size=8, verbose=0).history
    assert np.isfinite([values[-1] for values in history.values()]).all()


def test_generate_gives_float32_images_in_range_the_same_for_the_same_seed():
    gan = tiny_gan()
    images = gan.generate(5, seed=3)
    assert images.shape == (5, 8, 8, 1)
    assert images.dtype == np.float32
    assert np.abs(images).max() <= 1.0
    np.testing.assert_array_equal(images, gan.generate(5, seed=3))
    assert not np.array_equal(images, gan.generate(5, seed=4))
    assert not np.array_equal(gan.generate(5), gan.generate(5))


def test_generate_takes_latents_and_more_than_one_batch_of_them():
    gan = tiny_gan()
    latents = np.random.default_rng(0).standard_normal((300, 4))
    images = gan.generate(latents=latents)
    assert images.shape == (300, 8, 8, 1)
    np.testing.assert_allclose(gan.generate(latents=latents[290:]), images[290:], atol=1e-6)


def test_generating_in_between_changes_no_training():
    one, other = tiny_gan(), tiny_gan()
    for gan in (one, other):
        keras.utils.set_random_seed(0)
        gan.fit(IMAGES, batch_size=8, verbose=0, shuffle=False)
        if gan is one:
            gan.generate(7, seed=0)
        gan.fit(IMAGES, batch_size=8, verbose=0, shuffle=False)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_interpolate_begins_and_ends_with_samples_and_moves_little_by_little():
    gan = tiny_gan()
    walks = gan.interpolate(rows=3, steps=9, seed=5)
    assert walks.shape == (3, 9, 8, 8, 1)
    latents = np.random.default_rng(5).standard_normal((2, 3, 1, 4))
    np.testing.assert_allclose(walks[:, 0], gan.generate(latents=latents[0, :, 0]), atol=1e-6)
    np.testing.assert_allclose(walks[:, -1], gan.generate(latents=latents[1, :, 0]), atol=1e-6)
    steps = np.abs(np.diff(walks, axis=1)).mean(axis=(2, 3, 4))
    assert (steps.max(axis=1) < np.abs(walks[:, 0] - walks[:, -1]).mean(axis=(1, 2, 3))).all()


def test_interpolating_latents_of_length_one_stays_finite():
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))])
    walks = kg.GAN(generator, tiny_discriminator()).interpolate(rows=2, steps=5, seed=0)
    assert np.isfinite(walks).all()


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda gan: gan.generate(0), "count is 0; ask for at least one"),
        (lambda gan: gan.generate(latents=np.zeros((2, 5))), r"shape \(2, 5\); this generator takes \(count, 4\)"),
        (lambda gan: gan.interpolate(steps=1), "rows is 8 and steps 1"),
        (lambda gan: tiny_gan(loss="cross"), "loss 'cross' is unknown; choose one of"),
        (
            lambda gan: kg.GAN(tiny_generator(), keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Flatten()])),
            "build both for one image",
        ),
    ],
)
def test_bad_arguments_are_refused_with_what_would_be_right(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(tiny_gan())


def test_summaries_print_each_network(capsys):
    gan = tiny_gan()
    gan.generator_summary()
    gan.discriminator_summary()
    printed = capsys.readouterr().out
    assert "generator" in printed
    assert "discriminator" in printed


def test_config_round_trip():
    gan = kg.GAN.from_config(tiny_gan(loss="hinge", seed=7).get_config())
    assert gan.loss_name == "hinge"
    assert gan.seed == 7
    assert gan.generator.output_shape == (None, 8, 8, 1)


def test_keras_file_round_trip_keeps_weights_optimizers_and_goes_on_training(tmp_path):
    gan = tiny_gan()
    gan.fit(IMAGES, batch_size=8, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(loaded) is kg.GAN
    assert loaded.players == gan.players
    assert loaded.global_step == 4
    np.testing.assert_array_equal(loaded.generate(4, seed=0), gan.generate(4, seed=0))
    for a, b in zip(loaded.optimizer.variables, gan.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    loaded.fit(IMAGES, batch_size=8, verbose=0)
    assert loaded.global_step == 8


def test_weights_file_round_trip(tmp_path):
    gan, other = tiny_gan(), tiny_gan()
    gan.fit(IMAGES, batch_size=8, verbose=0)
    gan.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    np.testing.assert_array_equal(other.generate(4, seed=0), gan.generate(4, seed=0))


def test_a_subclass_may_change_the_networks_only():
    gan = kg.GAN(tiny_generator(), tiny_discriminator(batch_normalization=True), seed=0)
    gan.compile(optimizer={"generator": "adam", "discriminator": "adam"})
    gan.fit(IMAGES, batch_size=8, verbose=0)
    assert gan.global_step == 4
