import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan.layers import to_stock
from kerasgan.modules.latents import great_circles
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
    bound = {"weight_clip": 0.1} if loss == "wasserstein" else {}
    history = tiny_gan(loss=loss, **bound).fit(IMAGES, batch_size=8, verbose=0).history
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
    ends = np.random.default_rng(0).standard_normal((2, 50, 1, 1))
    between = great_circles(50, 5, latent_dim=1, seed=0)
    assert (ends[0] * ends[1] < 0).any() and np.abs(between).max() <= np.abs(ends).max() + 1e-12


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


# Penalties, several updates, clipping, averages and augmentation.


def first_logs(**options):
    gan = kg.GAN(tiny_generator(), tiny_discriminator(dropout=0.0), seed=0, **options)
    gan.compile(optimizer={p: keras.optimizers.SGD(0.0) for p in ("generator", "discriminator")})
    return {name: values[0] for name, values in gan.fit(IMAGES, batch_size=32, verbose=0).history.items()}


def test_a_penalty_is_part_of_the_discriminators_loss_and_is_logged():
    none, once, twice = (first_logs(penalties=weights) for weights in (None, {"r1": 1.0}, {"r1": 2.0}))
    assert "gradient_penalty" not in none
    assert twice["gradient_penalty"] == pytest.approx(2 * once["gradient_penalty"], rel=1e-5)
    assert once["discriminator_loss"] == pytest.approx(none["discriminator_loss"] + once["gradient_penalty"], rel=1e-5)
    assert once["generator_loss"] == pytest.approx(none["generator_loss"], rel=1e-5)


def test_the_name_of_a_penalty_stands_for_the_weight_of_its_paper():
    assert first_logs(penalties="r2") == first_logs(penalties=["r2"]) == first_logs(penalties={"r2": 10.0})
    assert first_logs(penalties=("r1", "r2")) == first_logs(penalties={"r1": 10.0, "r2": 10.0})


def slow_penalties(every, steps=6):
    keras.utils.set_random_seed(0)
    discriminator = tiny_discriminator(dropout=0.0)
    gan = kg.GAN(tiny_generator(), discriminator, penalties={"wgan_gp": 1.0}, penalty_every=every, seed=0)
    gan.compile(optimizer={p: keras.optimizers.SGD(0.0) for p in ("generator", "discriminator")})
    rows = [gan.fit(IMAGES[:8], batch_size=8, verbose=0, shuffle=False).history for _ in range(steps)]
    return [row["gradient_penalty"][0] for row in rows], int(keras.ops.convert_to_numpy(gan.seed_generator.state)[1])


def test_a_lazy_penalty_is_computed_every_few_steps_and_counts_as_many_times():
    every_step, drawn = slow_penalties(1)
    lazy, drawn_lazily = slow_penalties(3)
    assert [value > 0 for value in lazy] == [True, False, False, True, False, False]
    assert lazy[0] == pytest.approx(3 * every_step[0], rel=1e-4)  # the weights do not move
    assert drawn_lazily == drawn - 4  # and its random points are not drawn in between


def test_a_lazy_penalty_changes_the_statistics_of_batch_normalization_in_its_steps_only():
    def averages(every):
        """The statistics after the first step, and after the second."""
        keras.utils.set_random_seed(0)
        discriminator = tiny_discriminator(dropout=0.0, batch_normalization=True)
        with pytest.warns(UserWarning, match="discriminator holds BatchNormalization"):
            gan = kg.GAN(tiny_generator(), discriminator, penalties={"r1": 1.0}, penalty_every=every, seed=0)
        gan.compile(optimizer={p: keras.optimizers.SGD(0.0) for p in ("generator", "discriminator")})
        for images in (IMAGES[:8], IMAGES[8:16]):
            gan.fit(images, batch_size=8, verbose=0, shuffle=False)
            yield [keras.ops.convert_to_numpy(v) for v in discriminator.non_trainable_variables]

    (first, second), (first_lazily, second_lazily) = averages(1), averages(2)
    for a, b in zip(first, first_lazily, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert any(not np.allclose(a, b) for a, b in zip(second, second_lazily, strict=True))


def test_a_schedule_of_a_penalty_follows_the_steps():
    fading = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.0])  # 1 in steps 0 and 1
    gan = tiny_gan(penalties={"r1": fading})
    rows = [gan.fit(IMAGES[:8], batch_size=8, verbose=0).history["gradient_penalty"][0] for _ in range(3)]
    assert rows[0] > 0
    assert rows[2] == 0
    again = kg.GAN.from_config(gan.get_config())
    assert float(again.penalties.weights["r1"](5)) == 0.0


def test_the_discriminator_takes_as_many_updates_as_asked_for_and_the_generator_one():
    gan = tiny_gan(critic_steps=3)
    gan.fit(IMAGES, batch_size=8, verbose=0)
    assert gan.global_step == 4
    assert int(gan.discriminator_optimizer.iterations.numpy()) == 12
    assert int(gan.generator_optimizer.iterations.numpy()) == 4


def test_weights_are_clipped_after_every_update():
    gan = tiny_gan(weight_clip=0.01, loss="wasserstein")
    gan.fit(IMAGES, batch_size=8, verbose=0)
    largest = max(np.abs(weight).max() for weight in gan.discriminator.get_weights() if weight.dtype == "float32")
    assert largest <= np.float32(0.01)
    assert max(np.abs(weight).max() for weight in gan.generator.get_weights()) > 0.1


def test_samples_come_from_the_average_of_the_generators_weights():
    gan = tiny_gan(ema=0.9)
    assert gan.players == ["generator", "discriminator"]
    start = gan.generator.get_weights()
    gan.fit(IMAGES[:8], batch_size=8, verbose=0)
    kernel, average = gan.generator.get_weights()[0], gan.sampling_generator.get_weights()[0]
    np.testing.assert_allclose(average, start[0] + 0.9 * (kernel - start[0]), rtol=1e-5)  # 0.9 of what is new at first
    latents = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(gan.generate(latents=latents), gan.sampling_generator.predict(latents, verbose=0))
    assert gan.networks_to_export()["generator"] is gan.sampling_generator
    assert tiny_gan().sampling_generator is not None


def test_an_average_survives_files(tmp_path):
    gan = tiny_gan(ema=0.9)
    gan.fit(IMAGES, batch_size=8, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.generate(4, seed=0), gan.generate(4, seed=0))
    assert not np.array_equal(loaded.generator.get_weights()[0], loaded.sampling_generator.get_weights()[0])


def test_images_are_augmented_in_training_only():
    gan = tiny_gan(augment="color")
    images = keras.ops.convert_to_tensor(IMAGES)
    assert not np.array_equal(keras.ops.convert_to_numpy(gan.augmented(images, True)), IMAGES)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(gan.augmented(images, False)), IMAGES)
    gan.fit(IMAGES, batch_size=8, verbose=0)
    assert gan.players == ["generator", "discriminator"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"penalties": "r3"}, "penalty 'r3' is unknown; choose one of r1, r2"),
        ({"penalties": ["r1", "r3"]}, "penalty 'r3' is unknown; choose one of r1, r2"),
        ({"penalties": {"r1": -1.0}}, "the weight of penalty 'r1' is -1.0"),
        ({"penalties": {"r1": None}}, "the weight of penalty 'r1' is None; choose a positive number such as 10, or a"),
        ({"penalties": {"r1": "10"}}, "the weight of penalty 'r1' is '10'"),
        ({"penalties": {"r1": lambda step: 1.0}}, "the weight of penalty 'r1' is <function"),
        ({"penalties": "r1", "penalty_every": 0}, "penalty_every is 0"),
        ({"penalties": "r1", "penalty_every": 2.5}, "penalty_every is 2.5; choose a whole number"),
        ({"penalty_every": 4}, "penalty_every is 4, and there are no penalties"),
        ({"critic_steps": 0}, "critic_steps is 0"),
        ({"critic_steps": 2.5}, "critic_steps is 2.5; choose a whole number"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"weight_clip": 0.0}, "limit is 0.0"),
        ({"augment": "rotation"}, "names 'rotation'"),
    ],
)
def test_options_out_of_range_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        tiny_gan(**options)


def test_penalties_are_refused_where_layers_compute_in_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert tiny_gan().penalties.weights == {}
        with pytest.raises(ValueError, match="computes in float16, which a gradient penalty overflows"):
            tiny_gan(penalties="r1")
    finally:
        keras.config.set_dtype_policy(before)


def test_options_survive_the_config():
    options = {"penalties": {"r1": 1.0, "r2": 2.0}, "penalty_every": 4, "critic_steps": 2, "weight_clip": 0.1}
    options |= {"augment": "cutout", "ema": 0.99, "loss": "relativistic", "seed": 3}
    config = kg.GAN.from_config(tiny_gan(**options).get_config()).get_config()
    assert {name: config[name] for name in options} == options


def test_both_sides_of_the_game_see_augmented_images(monkeypatch):
    gan, seen = tiny_gan(augment="color"), []
    monkeypatch.setattr(gan, "_augmentation", lambda images, training: seen.append(training) or images)
    images, latents = ops.convert_to_tensor(IMAGES[:4]), np.ones((4, 4), "float32")
    gan.losses_of(images, latents, training=True)
    assert seen == [True, True]  # images and fakes
    gan.losses_of(images, latents, training=False)
    assert seen[2:] in ([], [False, False])


def test_augmentation_draws_other_numbers_than_the_latents():
    gan = tiny_gan(augment="color", seed=3)
    assert gan._augmentation.seed != gan.seed
    again = tiny_gan(augment="color", seed=3)
    assert gan._augmentation.seed == again._augmentation.seed


def test_validation_leaves_out_penalties_and_dropout():
    gan = tiny_gan(penalties="r1")
    latents = keras.random.normal((8, gan.latent_dim), seed=0)
    expected = gan.losses_of(ops.convert_to_tensor(IMAGES[:8]), latents, training=False)
    found = gan.evaluate(IMAGES[:8], batch_size=8, verbose=0, return_dict=True)
    assert "gradient_penalty" not in found
    for player, loss in expected.items():
        np.testing.assert_allclose(found[f"{player}_loss"], float(ops.convert_to_numpy(loss)), rtol=1e-5)


def test_every_update_of_the_critic_draws_latents_of_its_own(monkeypatch):
    gan, drawn = tiny_gan(critic_steps=3), []
    sample = gan.sample_latents
    monkeypatch.setattr(gan, "sample_latents", lambda count: drawn.append(count) or sample(count))
    start = gan.seed_generator.state.numpy().copy()
    gan.fit(IMAGES[:8], batch_size=8, verbose=0)
    steps = int(gan.seed_generator.state.numpy()[1]) - int(start[1])
    assert len(drawn) >= 3 and steps >= 3


def test_a_discriminator_of_images_of_any_size_is_taken():
    layers = [keras.Input((None, None, 1)), keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D()]
    discriminator = keras.Sequential([*layers, keras.layers.Dense(1)], name="discriminator")
    assert kg.GAN(tiny_generator(), discriminator).discriminator is discriminator


def test_scores_that_are_probabilities_are_warned_of():
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    with pytest.warns(UserWarning, match="judge ends in a sigmoid, and the losses expect logits"):
        kg.GAN(tiny_generator(), keras.Sequential(layers, name="judge"))


def test_a_wasserstein_critic_that_nothing_bounds_is_warned_of():
    with pytest.warns(
        UserWarning, match="nothing bounds the slopes of discriminator, without which a Wasserstein loss"
    ):
        tiny_gan(loss="wasserstein")
    tiny_gan(loss="wasserstein", penalties="wgan_gp")  # warnings are errors: this and the next one warn of nothing
    tiny_gan(loss="wasserstein", weight_clip=0.01)


def test_an_exported_average_can_be_trained_further():
    averaged, plain = (to_stock(tiny_gan(ema=ema).networks_to_export()["generator"]) for ema in (0.9, None))
    assert averaged.trainable and len(averaged.trainable_variables) == len(plain.trainable_variables) > 0
    gan = tiny_gan(ema=0.9)
    assert not gan.sampling_generator.trainable_variables  # while it is an average, no optimizer has it
    assert len(gan.trainable_variables) == len(
        gan.generator.trainable_variables + gan.discriminator.trainable_variables
    )


def test_images_that_are_bytes_are_refused():
    gan = tiny_gan()
    with pytest.raises(
        ValueError, match=r"images are uint8, and a GAN trains on floats in \[-1, 1\]; give kg.data, or"
    ):
        gan.fit(np.zeros((8, 8, 8, 1), np.uint8), batch_size=8, verbose=0)
    gan.fit(IMAGES[:8], batch_size=8, verbose=0)  # as good as before
