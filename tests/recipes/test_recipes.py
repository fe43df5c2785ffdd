import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.recipes import RECIPES

CLASSES = 3


def build(name, **options):
    keras.utils.set_random_seed(0)
    told = {"num_classes": CLASSES} if RECIPES[name].conditional else {}
    return RECIPES[name].build((8, 8, 1), 4, **told, **{"seed": 0, **options})


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_its_run_loads_again(name, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), "uint8")
    data = kg.data.DataModule(images, np.arange(16) % CLASSES, batch_size=8, seed=0)
    gan = build(name)
    kg.Trainer(tmp_path / "run", max_steps=2, callbacks=[kg.callbacks.Checkpoint()], seed=0).fit(gan, data)
    assert gan.global_step == 2
    again = kg.load_run(tmp_path / "run")
    np.testing.assert_array_equal(again.generate(3, seed=0), gan.generate(3, seed=0))
    assert options_of(again) == options_of(gan)


def options_of(gan):
    """The configuration without the networks, in which JSON makes lists of tuples."""
    return {name: value for name, value in gan.get_config().items() if name not in ("generator", "discriminator")}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_where_its_numbers_come_from(name):
    text = RECIPES[name].build.__doc__
    assert "Reference:" in text or "Measured here" in text
    assert "batch_size" not in RECIPES[name].hyperparameters  # it belongs to the data


# loss, penalties, updates of the discriminator, whether samples are averaged and the discriminator is normalized, Adam
PLANS = {
    "dcgan": ("non_saturating", set(), 1, None, False, (1e-4, 1e-4, 0.9, 0.999)),
    "lsgan": ("least_squares", set(), 1, None, False, (2e-4, 2e-4, 0.5, 0.999)),
    "hinge_sngan": ("hinge", set(), 1, 0.999, True, (1e-4, 4e-4, 0.0, 0.9)),
    "wgan_gp": ("wasserstein", {"wgan_gp"}, 5, None, False, (1e-4, 1e-4, 0.0, 0.9)),
    "r3gan": ("relativistic", {"r1", "r2"}, 1, 0.999, False, (2e-4, 2e-4, 0.0, 0.9)),
    "cgan": ("non_saturating", set(), 1, None, False, (2e-4, 2e-4, 0.5, 0.999)),
    "acgan": ("non_saturating", set(), 1, None, False, (2e-4, 2e-4, 0.5, 0.999)),
    "projection": ("hinge", set(), 1, 0.999, True, (1e-4, 4e-4, 0.0, 0.9)),
}


@pytest.mark.parametrize("name", PLANS)
def test_every_recipe_is_wired_as_it_says(name):
    gan = build(name)
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    normalized = [layer for layer in gan.discriminator.layers if isinstance(layer, kg.layers.SpectralNormalization)]
    loss, penalties, critic_steps, ema, is_normalized, adam = PLANS[name]
    assert (gan.loss_name, set(gan.penalties.weights), gan.critic_steps, gan.ema) == (
        loss,
        penalties,
        critic_steps,
        ema,
    )
    assert bool(normalized) == is_normalized
    rates = [float(optimizer.learning_rate) for optimizer in optimizers]
    np.testing.assert_allclose([*rates, optimizers[0].beta_1, float(optimizers[0].beta_2)], adam, rtol=1e-5)
    assert (optimizers[1].beta_1, float(optimizers[1].beta_2)) == (optimizers[0].beta_1, float(optimizers[0].beta_2))


def test_the_table_of_plans_has_all_recipes():
    assert PLANS.keys() | {"small_steps"} == RECIPES.keys()


def test_r3gan_takes_the_sizes_of_its_blocks():
    narrow, wide = (build("r3gan", width=4, expansion=expansion, cardinality=2) for expansion in (1, 2))
    for player in ("generator", "discriminator"):
        assert getattr(wide, player).count_params() > 1.5 * getattr(narrow, player).count_params()


def test_the_workshops_recipe_is_the_tutorials():
    gan = build("dcgan")
    assert (RECIPES["dcgan"].batch_size, RECIPES["dcgan"].epochs) == (256, 50)
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert type(optimizer) is keras.optimizers.Adam
        assert float(optimizer.learning_rate.numpy()) == pytest.approx(1e-4)
        assert optimizer.beta_1 == 0.9


def test_two_players_may_learn_at_two_rates():
    gan = build("hinge_sngan", generator_rate=1e-3)
    assert float(gan.generator_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)
    assert float(gan.discriminator_optimizer.learning_rate.numpy()) == pytest.approx(4e-4)


def test_a_player_may_stand_still():
    gan = kg.recipes.hinge_sngan((8, 8, 1), 8, discriminator_rate=0.0)
    rates = [float(each.learning_rate) for each in (gan.generator_optimizer, gan.discriminator_optimizer)]
    assert rates == [pytest.approx(1e-4), 0.0]


def test_options_of_every_gan_pass_through_and_win():
    gan = build("lsgan", loss="hinge", ema=0.9, augment="cutout")
    assert (gan.loss_name, gan.ema, gan.augment) == ("hinge", 0.9, "cutout")


def test_the_burn_in_of_r3gan_ends_at_the_values_of_the_paper():
    gan = build("r3gan", burn_in_steps=10)
    optimizer, weight = gan.generator_optimizer, gan.penalties.weights["r1"]
    schedule = optimizer.get_config()["beta_2"]["config"]
    assert schedule["initial_learning_rate"] == 0.9
    first = [float(optimizer.learning_rate), float(weight(0)), float(optimizer.beta_2)]
    np.testing.assert_allclose(first, [2e-4, 1.0, 0.9], rtol=1e-5)
    optimizer.iterations.assign(10)
    last = [float(optimizer.learning_rate), float(weight(10)), float(optimizer.beta_2)]
    np.testing.assert_allclose(last, [5e-5, 0.1, 0.99], rtol=1e-5)
    assert optimizer.beta_1 == 0.0


def test_adam_with_a_schedule_is_adam_where_the_schedule_is_constant():
    constant = keras.optimizers.schedules.CosineDecay(0.9, 10, alpha=1.0)
    updates = []
    for optimizer in (
        kg.recipes.ScheduledAdam(0.1, beta_2=constant),
        kg.recipes.ScheduledAdam(0.1, beta_2=0.9),
        keras.optimizers.Adam(0.1, beta_2=0.9),
    ):
        weight = keras.Variable([1.0, -2.0])
        for gradient in ([0.5, 1.0], [-1.0, 2.0]):
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        updates.append(keras.ops.convert_to_numpy(weight))
    np.testing.assert_allclose(updates[0], updates[2], rtol=1e-6)
    np.testing.assert_allclose(updates[1], updates[2], rtol=1e-6)


def test_adam_with_a_schedule_by_hand():
    """With beta_1 = 0, m is the gradient; v = b v + (1 - b) g^2 is corrected by 1 - b^t, with the b of its step."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.8])  # 0.5 in the first step
    optimizer, weight = kg.recipes.ScheduledAdam(0.1, beta_1=0.0, beta_2=schedule), keras.Variable([0.0])
    for gradient in (2.0, 1.0):
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [weight])
    second = 0.8 * (0.5 * 4.0) + 0.2 * 1.0
    expected = -0.1 - 0.1 / np.sqrt(second / (1 - 0.8**2))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), [expected], rtol=1e-4)


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="recipe 'cake' is unknown; choose one of dcgan, small_steps"):
        kg.recipes.find("cake")
    assert kg.recipes.find("wgan-gp").name == "wgan_gp"
