import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan import losses
from kerasgan.layers import DiffAugment, diff_augment
from kerasgan.testing import tiny_discriminator, tiny_generator, tiny_images

POLICIES = list(diff_augment.POLICIES)


def to_numpy(tensor):
    return ops.convert_to_numpy(tensor)


def pictures(count=4, height=10, width=7, channels=3):
    return np.random.default_rng(0).uniform(-1, 1, (count, height, width, channels)).astype("float32")


def column(*values):
    return np.array(values).reshape(-1, 1, 1, 1)


AMOUNTS = column(0.3, -0.5, 0.0, 0.25).astype("float32")
ROWS, COLUMNS = column(2, -3, 0, 12).astype("int32"), column(-1, 1, 0, 0).astype("int32")


def translated(images, rows, columns):
    """In NumPy, pixel by pixel."""
    count, height, width, _ = images.shape
    result = np.zeros_like(images)
    for n in range(count):
        for row in range(height):
            for column in range(width):
                source = row - rows[n, 0, 0, 0], column - columns[n, 0, 0, 0]
                if 0 <= source[0] < height and 0 <= source[1] < width:
                    result[n, row, column] = images[n, source[0], source[1]]
    return result


def cut(images, rows, columns, size):
    result = images.copy()
    for image, row, column in zip(result, rows.ravel(), columns.ravel(), strict=True):
        image[max(row, 0) : max(row + size[0], 0), max(column, 0) : max(column + size[1], 0)] = 0
    return result


# With given parameters.


def test_each_change_agrees_with_numpy():
    x = pictures()
    np.testing.assert_allclose(to_numpy(diff_augment.brighten(x, AMOUNTS)), x + AMOUNTS, rtol=1e-6)
    grey, mean = x.mean(axis=3, keepdims=True), x.mean(axis=(1, 2, 3), keepdims=True)
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(to_numpy(diff_augment.saturate(x, AMOUNTS)), grey + (x - grey) * AMOUNTS, **close)
    np.testing.assert_allclose(to_numpy(diff_augment.scale_contrast(x, AMOUNTS)), mean + (x - mean) * AMOUNTS, **close)
    moved = to_numpy(diff_augment.translate(x, ROWS, COLUMNS))
    np.testing.assert_allclose(moved, translated(x, ROWS, COLUMNS), rtol=1e-3)  # the precision of a GPU's products
    assert (moved[3] == 0).all()  # moved out of sight
    np.testing.assert_array_equal(
        to_numpy(diff_augment.cut_out(x, ROWS, COLUMNS, (5, 3))), cut(x, ROWS, COLUMNS, (5, 3))
    )


def test_by_hand_one_image_moves_down_and_left():
    image = np.arange(1, 7, dtype="float32").reshape(1, 2, 3, 1)  # 1 2 3 / 4 5 6
    moved = to_numpy(diff_augment.translate(image, column(1).astype("int32"), column(-1).astype("int32")))
    np.testing.assert_array_equal(moved[0, :, :, 0], [[0, 0, 0], [2, 3, 0]])


def test_nothing_changes_where_nothing_is_asked_for():
    x, zero, one = pictures(), np.zeros((4, 1, 1, 1), "float32"), np.ones((4, 1, 1, 1), "float32")
    stays = zero.astype("int32")
    np.testing.assert_array_equal(to_numpy(diff_augment.brighten(x, zero)), x)
    np.testing.assert_array_equal(to_numpy(diff_augment.cut_out(x, stays, stays, (0, 0))), x)
    np.testing.assert_allclose(to_numpy(diff_augment.saturate(x, one)), x, atol=1e-6)
    np.testing.assert_allclose(to_numpy(diff_augment.scale_contrast(x, one)), x, atol=1e-6)
    np.testing.assert_allclose(to_numpy(diff_augment.translate(x, stays, stays)), x, rtol=1e-3)


def test_what_has_one_channel_has_no_saturation():
    x = pictures(channels=1)
    np.testing.assert_array_equal(to_numpy(diff_augment.saturate(x, AMOUNTS)), x)


# With drawn parameters.


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_seeds_give_equal_images_and_the_next_call_others(policy):
    x, one, again = pictures(), DiffAugment(policy, seed=3), DiffAugment(policy, seed=3)
    first, second = (to_numpy(one(x, training=True)) for _ in range(2))
    assert first.shape == x.shape
    np.testing.assert_array_equal(first, to_numpy(again(x, training=True)))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, x)
    np.testing.assert_array_equal(to_numpy(one(x)), x)  # not in training


@pytest.mark.parametrize("policy", POLICIES)
def test_images_of_a_batch_are_changed_independently(policy):
    same = np.repeat(pictures(1, 16, 16), 8, axis=0)
    assert len({image.tobytes() for image in to_numpy(DiffAugment(policy, seed=0)(same, training=True))}) > 4


def test_translations_reach_an_eighth_of_the_side_rounded_either_way_and_no_further():
    """A single bright pixel in the middle tells how far it went."""
    images = np.zeros((600, 17, 28, 1), "float32")
    images[:, 8, 14] = 1
    moved = to_numpy(DiffAugment("translation", seed=0)(images, training=True))
    _, rows, columns, _ = np.nonzero(moved > 0.5)
    assert len(rows) == 600
    assert set(rows - 8) == set(range(-2, 3))
    assert set(columns - 14) == set(range(-4, 5))  # int(28 / 8 + 0.5) in the published code


@pytest.mark.parametrize("side", [8, 9])
def test_cutouts_are_half_the_side_around_any_pixel(side):
    """The rows that are hit, as the published code has them: a part where the rectangle reaches beyond the edge."""
    kept = to_numpy(DiffAugment("cutout", seed=0)(np.ones((2000, side, side, 1), "float32"), training=True))
    rows = {tuple(np.nonzero((image == 0).any(axis=(1, 2)))[0]) for image in kept}
    size = int(side / 2 + 0.5)
    starts = [middle - size // 2 for middle in range(side + 1 - size % 2)]
    assert rows == {tuple(row for row in range(start, start + size) if 0 <= row < side) for start in starts}


def test_colors_change_within_the_published_bounds():
    images = np.concatenate([np.full((500, 4, 4, 3), 0.1), np.full((500, 4, 4, 3), 0.5)], axis=1).astype("float32")
    changed = to_numpy(DiffAugment("color", seed=0)(images, training=True))
    brightness = changed.mean(axis=(1, 2, 3)) - 0.3
    contrast = (changed[:, 4:] - changed[:, :4]).mean(axis=(1, 2, 3)) / 0.4
    assert -0.5 <= brightness.min() < -0.45 and 0.45 < brightness.max() <= 0.5
    assert 0.5 <= contrast.min() + 1e-5 < 0.55 and 1.45 < contrast.max() <= 1.5 + 1e-5
    colored = np.zeros((500, 2, 2, 3), "float32")
    colored[..., 0], colored[..., 2] = -0.3, 0.3
    changed = to_numpy(DiffAugment("color", seed=0)(colored, training=True))
    spread = (changed[..., 2] - changed[..., 0]).mean(axis=(1, 2)) / 0.6  # saturation times contrast
    assert 0 <= spread.min() < 0.1 and 2.5 < spread.max() <= 3


# What learns through it.


@pytest.mark.parametrize("policy", [*POLICIES, ",".join(POLICIES)])
def test_the_gradient_is_that_of_the_changed_images(policy):
    """The layer is linear in the images but for a constant, so that differences are exact."""
    x, direction = pictures(2), np.random.default_rng(1).standard_normal((2, 10, 7, 3)).astype("float32")
    weights = np.random.default_rng(2).standard_normal(x.shape).astype("float32")

    def score(t):
        return ops.sum(DiffAugment(policy, seed=4)(t, training=True) * weights)

    slope = float(np.sum(to_numpy(kg.grad(score, x)) * direction))
    difference = float(to_numpy(score(x + direction))) - float(to_numpy(score(x)))
    assert abs(slope) > 0.1
    assert slope == pytest.approx(difference, rel=1e-3, abs=1e-3)


class Augmented(kg.Module):
    """A GAN that judges changed images only, with R1 through the change."""

    def __init__(self, policy):
        super().__init__()
        self.generator = tiny_generator()
        # No bias at the end: a relativistic loss does not know an offset of all scores.
        self.discriminator = tiny_discriminator(dropout=0.0, output_bias=False)
        self.augment, self.seed_generator = DiffAugment(policy, seed=1), keras.random.SeedGenerator(2)
        self.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})

    def training_step(self, images):
        latents = keras.random.normal((ops.shape(images)[0], 4), seed=self.seed_generator)
        self.minimize(lambda: self.losses_of(images, self.generator(latents, training=True)))

    def losses_of(self, images, fakes):
        r1 = losses.gradient_penalty("r1")(kg.grad, self.score, images, fakes, self.seed_generator)
        self.log("r1", r1)
        pair = losses.adversarial_loss("relativistic")
        logits = self.score(images), self.score(fakes)
        return {"generator": pair.generator(*logits), "discriminator": pair.discriminator(*logits) + r1}

    def score(self, images):
        return self.discriminator(self.augment(images, training=True), training=True)


def test_both_players_learn_through_it_in_a_compiled_step():
    runs = []
    for _ in range(2):
        module = Augmented("color,translation,cutout")
        before = module.generator.get_weights() + module.discriminator.get_weights()
        history = module.fit(tiny_images(16), batch_size=8, epochs=2, shuffle=False, verbose=0).history
        after = module.generator.get_weights() + module.discriminator.get_weights()
        assert all(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
        assert history["r1"][0] > 0
        runs.append(after)
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_its_seed_is_part_of_what_a_checkpoint_holds():
    module = Augmented("cutout")
    assert any(variable is module.augment.seed_generator.state for variable in module.variables)


def test_it_is_saved_and_rebuilt_also_within_a_network():
    inputs = keras.Input((8, 8, 1))
    network = keras.Model(inputs, DiffAugment("translation, cutout", seed=5)(inputs))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    images = tiny_images(4)
    np.testing.assert_array_equal(to_numpy(again(images, training=True)), to_numpy(network(images, training=True)))
    assert again.layers[1].policy == "translation, cutout"


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_stays(dtype):
    changed = DiffAugment(seed=0, dtype=dtype)(pictures(), training=True)
    assert keras.backend.standardize_dtype(changed.dtype) == dtype.removeprefix("mixed_")


@pytest.mark.parametrize("policy", ["", "colour", "color;cutout"])
def test_an_unknown_policy_is_answered_with_the_known_ones(policy):
    with pytest.raises(ValueError, match="choose from color, translation, cutout"):
        DiffAugment(policy)
