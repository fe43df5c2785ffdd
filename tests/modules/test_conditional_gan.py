import keras
import numpy as np
import PIL.Image
import pytest
from keras import ops

import kerasgan as kg
from kerasgan.networks import conditional
from kerasgan.testing import tiny_discriminator, tiny_generator, tiny_images

CLASSES = 3
IMAGES = tiny_images(32)
LABELS = np.arange(32) % CLASSES


def generator():
    network = keras.Sequential(
        [keras.Input((4 + CLASSES,)), keras.layers.Dense(64, activation="tanh"), keras.layers.Reshape((8, 8, 1))],
        name="generator",
    )
    return conditional.generator(network, CLASSES)


def discriminator(kind):
    channels = 1 + CLASSES if kind == "cgan" else 1
    network = keras.Sequential(
        [
            keras.Input((8, 8, channels)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, dtype="float32"),
        ],
        name="discriminator",
    )
    builders = {
        "cgan": conditional.discriminator,
        "acgan": conditional.auxiliary_classifier,
        "projection": conditional.projection_discriminator,
    }
    return builders[kind](network, CLASSES)


def build(kind="cgan", rate=1e-3, **options):
    keras.utils.set_random_seed(0)
    gan = kg.ConditionalGAN(generator(), discriminator(kind), **{"num_classes": CLASSES, "seed": 0, **options})
    gan.compile(optimizer={p: keras.optimizers.Adam(rate, beta_1=0.5) for p in ("generator", "discriminator")})
    return gan


@pytest.mark.parametrize("kind", ["cgan", "acgan", "projection"])
def test_each_kind_learns_to_show_the_class_asked_for(kind):
    """A class is where the image is bright: whoever ignores labels makes the same images for all."""
    gan = build(kind, rate=3e-3)
    labels = np.arange(192) % CLASSES
    images = np.full((192, 8, 8, 1), -0.8, "float32")
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] = 0.8
    gan.fit(images, labels, batch_size=32, epochs=60, verbose=0)
    for label in range(CLASSES):
        rows = gan.generate(50, seed=0, labels=label).mean(axis=(0, 2, 3))[:6].reshape(CLASSES, 2).mean(axis=1)
        assert rows[label] > 0.3 + np.delete(rows, label).max()


def test_one_hot_labels_and_columns_and_lists_of_numbers_train_as_numbers_do():
    weights = []
    for labels in (LABELS, LABELS[:, None], np.eye(CLASSES)[LABELS], LABELS.tolist(), list(LABELS)):
        gan = build()
        gan.fit(IMAGES, labels, batch_size=8, shuffle=False, verbose=0)
        weights.append(gan.get_weights())
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["cgan", "acgan", "projection"])
@pytest.mark.parametrize(
    ("labels", "message"),
    [(LABELS + 1, "labels hold 3; the classes of this network go from 0 to 2"), (LABELS / 2, "labels are float64")],
)
def test_labels_that_are_no_classes_are_refused_before_training(kind, labels, message):
    gan = build(kind)
    with pytest.raises(ValueError, match=message):
        gan.fit(IMAGES, labels, batch_size=8, verbose=0)
    assert gan.global_step == 0


def test_labels_of_our_data_that_are_no_classes_are_refused_before_training(tmp_path):
    data = kg.data.DataModule(IMAGES, np.arange(32) % (CLASSES + 1), batch_size=8)
    gan = build()
    with pytest.raises(ValueError, match="labels hold 3; the classes of this network go from 0 to 2"):
        gan.fit(data.train, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match="labels hold 3; the classes of this network go from 0 to 2"):
        kg.Trainer(tmp_path / "run", max_steps=4, steps_per_execution=2).fit(gan, data)
    assert gan.global_step == 0


def test_a_discriminator_that_tells_other_classes_is_refused():
    with pytest.raises(ValueError, match="num_classes is 4, and the discriminator tells 3 classes apart"):
        kg.ConditionalGAN(generator(), discriminator("acgan"), num_classes=4)


def test_small_batches_lack_no_class_for_long():
    gan, labels = build(), ops.convert_to_tensor([0])
    found = {int(ops.convert_to_numpy(gan.labels_of_fakes(labels, training=True))[0]) for _ in range(40)}
    assert found == set(range(CLASSES))


def test_fakes_show_each_class_as_often_as_the_others():
    labels = ops.convert_to_tensor([0] * 32)
    found = [ops.convert_to_numpy(build().labels_of_fakes(labels, training=True)) for _ in range(2)]
    counts = np.bincount(found[0], minlength=CLASSES)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("options", [{"loss": "relativistic"}, {"penalties": "r1"}])
def test_fakes_that_are_paired_with_images_show_their_classes(options):
    labels = ops.convert_to_tensor([2, 0, 0, 1])
    np.testing.assert_array_equal(build(**options).labels_of_fakes(labels, training=True), [2, 0, 0, 1])


@pytest.mark.parametrize("kind", ["cgan", "acgan", "projection"])
def test_penalties_averages_and_augmentation_go_with_every_kind(kind):
    gan = build(kind, penalties={"r1": 1.0, "wgan_gp": 1.0}, penalty_every=2, ema=0.9, augment="translation")
    history = gan.fit(IMAGES, LABELS, batch_size=8, verbose=0, validation_data=(IMAGES, LABELS)).history
    assert np.isfinite([values[-1] for values in history.values()]).all()
    assert {"gradient_penalty", "val_generator_loss"} <= history.keys()


def test_the_class_counts_as_much_as_was_asked_for():
    losses = []
    for weight in (0.0, 1.0, 2.0):
        gan = build("acgan", class_weight=weight)
        values = gan.losses_of(ops.convert_to_tensor(IMAGES), ops.ones((32, 4)), False, ops.convert_to_tensor(LABELS))
        losses.append([float(values[player]) for player in ("generator", "discriminator")])
    none, once, twice = np.array(losses)
    assert (once > none + 0.5).all()  # log 3, of a network that does not know
    np.testing.assert_allclose(twice - once, once - none, rtol=1e-4)


def test_generate_makes_the_classes_asked_for_or_all_by_turns():
    gan = build()
    latents = np.random.default_rng(0).standard_normal((6, 4))
    by_turns = gan.generate(latents=latents)
    assert by_turns.shape == (6, 8, 8, 1)
    assert by_turns.dtype == np.float32
    np.testing.assert_array_equal(by_turns, gan.generate(latents=latents, labels=[0, 1, 2, 0, 1, 2]))
    np.testing.assert_array_equal(by_turns[1::3], gan.generate(latents=latents, labels=1)[1::3])
    assert not np.array_equal(by_turns[0], gan.generate(latents=latents, labels=1)[0])


def test_by_class_every_column_is_one_latent():
    gan = build()
    sheet = gan.generate_by_class(5, seed=3)
    assert sheet.shape == (CLASSES, 5, 8, 8, 1)
    for label in range(CLASSES):
        np.testing.assert_allclose(sheet[label], gan.generate(5, seed=3, labels=label), atol=1e-6)


def test_interpolations_stay_within_a_class():
    gan = build()
    walks = gan.interpolate(rows=4, steps=3, seed=0)
    assert walks.shape == (4, 3, 8, 8, 1)
    latents = np.random.default_rng(0).standard_normal((2, 4, 1, 4))
    np.testing.assert_allclose(walks[:, 0], gan.generate(latents=latents[0, :, 0], labels=[0, 1, 2, 0]), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda gan: gan.generate(2, labels=[0, 3]), "labels hold 3; the classes of this network go from 0 to 2"),
        (lambda gan: gan.generate(2, labels=[0]), "one integer for each of 2"),
        (lambda gan: gan.generate(0), "count is 0"),
        (lambda gan: gan.generate_by_class(0), "count is 0"),
        (lambda gan: gan.interpolate(rows=3, labels=[1, 2]), r"labels have shape \(2,\); give one for all rows, or o"),
        (lambda gan: build(num_classes=1), "num_classes is 1"),
        (lambda gan: kg.ConditionalGAN(tiny_generator(), tiny_discriminator(), num_classes=3), "has 1 inputs"),
        (lambda gan: gan.fit(IMAGES, batch_size=8, verbose=0), "The batches have no labels"),
        (lambda gan: gan.fit(IMAGES, np.eye(4)[LABELS], batch_size=8, verbose=0), "one-hot ones of 3"),
    ],
)
def test_bad_arguments_are_refused_with_what_would_be_right(call, complaint):
    with pytest.raises((ValueError, TypeError), match=complaint):
        call(build())


def test_keras_file_round_trip_keeps_everything(tmp_path):
    gan = build("acgan", class_weight=2.0, ema=0.9)
    gan.fit(IMAGES, LABELS, batch_size=8, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(loaded) is kg.ConditionalGAN
    assert (loaded.num_classes, loaded.class_weight, loaded.ema) == (3, 2.0, 0.9)
    np.testing.assert_array_equal(loaded.generate(4, seed=0), gan.generate(4, seed=0))


def test_the_grid_is_one_row_a_class_and_the_run_loads_again(tmp_path):
    data = kg.data.DataModule(IMAGES, LABELS, batch_size=8, seed=0)
    gan = build("projection", ema=0.9, penalties={"r1": keras.optimizers.schedules.CosineDecay(1.0, 9)})
    callbacks = [kg.callbacks.ImageGrid(count=12), kg.callbacks.Checkpoint()]
    kg.Trainer(tmp_path / "run", max_epochs=1, callbacks=callbacks, seed=0).fit(gan, data)
    picture = PIL.Image.open(tmp_path / "run" / "samples" / "epoch-0001.png")
    expected = kg.callbacks.grid(gan.generate_by_class(4, seed=0).reshape(12, 8, 8, 1), columns=4)
    np.testing.assert_array_equal(np.asarray(picture).reshape(expected.shape), expected)
    loaded = kg.load_run(tmp_path / "run")
    np.testing.assert_array_equal(loaded.generate(4, seed=0), gan.generate(4, seed=0))
    exported = keras.saving.load_model(tmp_path / "run" / "generator.keras")
    latents = np.random.default_rng(0).standard_normal((4, 4)).astype("float32")
    np.testing.assert_allclose(
        exported.predict([latents, np.arange(4) % 3], verbose=0), gan.generate(latents=latents), atol=1e-6
    )


def test_interpolations_stay_within_the_class_that_was_asked_for():
    gan = build()
    asked = []
    gan.generate = lambda latents, labels: asked.append(labels) or np.zeros((len(latents), 8, 8, 1), "float32")
    gan.interpolate(rows=4, steps=2)
    gan.interpolate(rows=2, steps=2, labels=2)
    gan.interpolate(rows=2, steps=2, labels=[1, 0])
    assert [list(labels) for labels in asked] == [[0, 0, 1, 1, 2, 2, 0, 0], [2] * 4, [1, 1, 0, 0]]
