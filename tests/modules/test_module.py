import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan.testing import LATENT_DIM, ThreePlayers, TinyWassersteinGAN, tiny_gan, tiny_images

IMAGES = tiny_images(32)


def trainable(module):
    return {
        player: [ops.convert_to_numpy(v) for v in getattr(module, player).trainable_variables]
        for player in module.players
    }


def moved(before, module):
    return {
        player
        for player, values in trainable(module).items()
        if any(not np.array_equal(a, b) for a, b in zip(before[player], values, strict=True))
    }


# Players and losses.


def test_three_players_train_by_turns_under_plain_fit():
    module = ThreePlayers()
    before = trainable(module)
    history = module.fit(IMAGES, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == {"first_loss", "second_loss", "discriminator_loss"}
    assert moved(before, module) == {"first", "second", "discriminator"}
    assert module.global_step == 8


@pytest.mark.parametrize("only", ["first", "second", "discriminator"])
def test_each_players_loss_moves_only_its_own_variables(only):
    class OnePlays(ThreePlayers):
        def training_step(self, images):
            latents = keras.random.normal((ops.shape(images)[0], LATENT_DIM), seed=self.seed_generator)
            if only == "discriminator":
                self.minimize(lambda: {only: self.discriminator_loss(images, latents)})
            else:
                self.minimize(lambda: {only: self.fooling_loss(only, latents)})

    module = OnePlays()
    before = trainable(module)
    module.fit(IMAGES, batch_size=8, verbose=0)
    assert moved(before, module) == {only}


@pytest.mark.parametrize("only", ["first", "second", "discriminator"])
def test_with_all_learning_rates_but_one_at_zero_only_that_player_moves(only):
    module = ThreePlayers()
    rates = {player: 0.1 if player == only else 0.0 for player in module.players}
    module.compile(optimizer={player: keras.optimizers.SGD(rate) for player, rate in rates.items()})
    before = trainable(module)
    module.fit(IMAGES, batch_size=8, verbose=0)
    assert moved(before, module) == {only}


def test_regularizers_and_add_loss_of_a_players_layers_are_part_of_its_loss():
    class Pulled(keras.layers.Layer):
        def call(self, x):
            self.add_loss(3.0 + 0.0 * ops.sum(x))
            return x

    class Regularized(kg.Module):
        def __init__(self):
            super().__init__()
            kernel = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer="l2")
            self.net = keras.Sequential([keras.Input((2,)), kernel, Pulled()])
            self.compile(optimizer=keras.optimizers.SGD(1.0))

        def training_step(self, x):
            self.minimize(lambda: {"net": 0.0 * ops.sum(self.net(x))})

    module = Regularized()
    history = module.fit(np.zeros((4, 2), "float32"), verbose=0).history
    # l2 is 0.01 of the sum of squares, 2 here; its gradient is 0.02 of each weight
    assert history["loss"] == [pytest.approx(0.02 + 3.0)]
    np.testing.assert_allclose(module.get_weights()[0], 0.98, rtol=1e-6)


def test_simultaneous_gradients_are_those_of_two_separate_passes():
    """Compare one call of minimize with the same two losses differentiated one at a time, from equal weights."""

    class Together(kg.Module):
        def __init__(self):
            super().__init__()
            self.a = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
            self.b = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
            self.compile(optimizer={"a": keras.optimizers.SGD(0.1), "b": keras.optimizers.SGD(0.1)})

        def training_step(self, x):
            def losses():
                product = self.a(x) * self.b(x)
                return {"a": ops.mean(product), "b": -ops.mean(ops.square(product))}

            self.minimize(losses)

    module, x = Together(), np.array([[1.0, 2.0, 3.0]], "float32")
    module.fit(x, verbose=0)
    # a(x) = b(x) = 6: da = 6 x, db = -2 * 36 * 6 x, worked by hand
    np.testing.assert_allclose(module.a.layers[-1].kernel.numpy()[:, 0], 1 - 0.1 * 6 * x[0], rtol=1e-5)
    np.testing.assert_allclose(module.b.layers[-1].kernel.numpy()[:, 0], 1 + 0.1 * 432 * x[0], rtol=1e-5)


def test_several_updates_in_a_step_are_one_global_step():
    module = TinyWassersteinGAN(critic_steps=3)
    history = module.fit(IMAGES, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == {"critic_loss", "generator_loss", "gradient_penalty"}
    assert module.global_step == 8
    iterations = {p: int(o.iterations.numpy()) for p, o in module.optimizer.by_player.items()}
    assert iterations == {"generator": 8, "critic": 24}


def test_minimize_returns_the_losses_and_logs_epoch_means():
    class Known(kg.Module):
        def __init__(self):
            super().__init__()
            self.net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

        def training_step(self, x):
            losses = self.minimize(lambda: {"net": 0.0 * ops.sum(self.net(x)) + ops.mean(x)})
            self.log("twice", 2 * losses["net"])
            self.log("largest", ops.max(x), weight=1)

    module = Known()
    module.compile(optimizer="sgd")
    x = np.arange(5, dtype="float32")[:, None]
    history = module.fit(x, batch_size=2, shuffle=False, verbose=0).history
    assert history["loss"] == [pytest.approx(2.0)]  # the mean over five examples, not over three batches
    assert history["twice"] == [pytest.approx(4.0)]
    assert history["largest"] == [pytest.approx((1 + 3 + 4) / 3)]


def test_validation_logs_get_a_prefix_and_the_training_logs_keep_their_names():
    gan = tiny_gan()
    history = gan.fit(IMAGES, batch_size=8, epochs=3, validation_data=(IMAGES,), verbose=0).history
    names = {"generator_loss", "discriminator_loss"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert set(gan.evaluate(IMAGES, return_dict=True, verbose=0)) == names


def test_what_training_step_receives_is_what_keras_hands_over():
    seen = []

    class Listening(kg.Module):
        def __init__(self):
            super().__init__()
            self.net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
            self.compile(optimizer="sgd")

        def training_step(self, batch):
            seen.append(tuple(type(batch).__name__ == "tuple" and len(batch) for _ in "x"))
            images = batch[0] if isinstance(batch, tuple) else batch
            self.minimize(lambda: {"net": ops.mean(self.net(images))})

    for arguments, expected in (({"x": IMAGES}, False), ({"x": IMAGES, "y": np.zeros(32)}, 2)):
        seen.clear()
        Listening().fit(**arguments, batch_size=16, verbose=0)
        assert seen[0] == (expected,)
        seen.clear()
        Listening().train_on_batch(*arguments.values())
        assert seen[0] == (expected,)


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}, {"jit_compile": True}], ids=str)
def test_options_of_compile_keep_their_meaning(options):
    gan = tiny_gan()
    optimizers = {p: keras.optimizers.Adam(1e-3) for p in ("generator", "discriminator")}
    gan.compile(optimizer=optimizers, **options)
    gan.fit(IMAGES, batch_size=8, verbose=0)
    assert gan.global_step == 4


def test_an_optimizers_own_options_stay_its_business():
    gan = tiny_gan()
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    adam = keras.optimizers.Adam(schedule, use_ema=True, gradient_accumulation_steps=2, clipnorm=1.0)
    gan.compile(optimizer={"generator": adam, "discriminator": keras.optimizers.SGD(0.1, loss_scale_factor=8.0)})
    gan.fit(IMAGES, batch_size=8, epochs=2, verbose=0)
    assert gan.discriminator_optimizer.loss_scale_factor == 8.0
    assert float(ops.convert_to_numpy(gan.generator_optimizer.learning_rate)) < 1e-3


def test_a_loss_scale_factor_changes_no_update():
    results = []
    for factor in (None, 1024.0):
        gan = tiny_gan()
        sgd = {p: keras.optimizers.SGD(0.1, loss_scale_factor=factor) for p in ("generator", "discriminator")}
        gan.compile(optimizer=sgd)
        gan.discriminator.layers[3].rate = 0.0  # no dropout
        gan.fit(IMAGES, batch_size=8, verbose=0, shuffle=False)
        results.append(gan.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


# Precision.


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("build", [tiny_gan, TinyWassersteinGAN])
def test_mixed_precision_trains_every_player(policy, build):
    keras.config.set_dtype_policy(policy)
    try:
        module = build()
        before = trainable(module)
        history = module.fit(IMAGES, batch_size=8, epochs=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert moved(before, module) == set(module.players)
    assert all(np.isfinite(values).all() for values in history.values())
    scales = {p: hasattr(o, "dynamic_scale") for p, o in module.optimizer.by_player.items()}
    assert scales == dict.fromkeys(module.players, policy == "mixed_float16")


def test_under_float16_one_players_overflow_skips_only_its_own_update():
    class OneOverflows(ThreePlayers):
        def training_step(self, images):
            latents = keras.random.normal((ops.shape(images)[0], LATENT_DIM), seed=self.seed_generator)
            self.minimize(lambda: {"first": 1e38 * self.fooling_loss("first", latents)})
            self.minimize(lambda: {"second": self.fooling_loss("second", latents)})

    keras.config.set_dtype_policy("mixed_float16")
    try:
        module = OneOverflows()
        before = trainable(module)
        module.train_on_batch(IMAGES)
    finally:
        keras.config.set_dtype_policy("float32")
    assert moved(before, module) == {"second"}
    scales = {p: float(o.dynamic_scale.numpy()) for p, o in module.optimizer.by_player.items()}
    assert scales["first"] == scales["second"] / 2


# Errors.


def adam():
    return keras.optimizers.Adam(1e-3)


@pytest.mark.parametrize(
    ("optimizer", "complaint"),
    [
        ({"generater": "adam"}, "'generater' is no attribute of ThreePlayers; its networks are .*'first'"),
        ({"seed_generator": "adam"}, "'seed_generator' of ThreePlayers is a SeedGenerator, not a network"),
        ("adam", r"holds the networks .*needs a dict"),
        ({}, "without a player"),
    ],
)
def test_a_wrong_player_in_compile_is_named(optimizer, complaint):
    with pytest.raises(ValueError, match=complaint):
        ThreePlayers().compile(optimizer=optimizer)


def test_two_players_may_not_share_an_optimizer():
    shared = adam()
    with pytest.raises(ValueError, match="share an optimizer"):
        ThreePlayers().compile(optimizer={"first": shared, "second": shared})


def module_with_step(step, players=("first", "second", "discriminator")):
    class Custom(ThreePlayers):
        training_step = step

    module = Custom()
    module.compile(optimizer={player: adam() for player in players})
    return module


@pytest.mark.parametrize(
    ("step", "players", "complaint"),
    [
        (lambda self, x: self.minimize(lambda: {"third": 0.0}), ["first"], "'third', which is no player"),
        (lambda self, x: self.minimize(lambda: {"second": 0.0}), ["first"], "'second', which has no optimizer; add it"),
        (
            lambda self, x: self.minimize(lambda: {"first": self.first(np.zeros((3, LATENT_DIM), "float32"))}),
            ["first"],
            r"loss of 'first' has shape \(3, 8, 8, 1\), not \(\); reduce it",
        ),
        (lambda self, x: self.log("a", 1.0), ["first"], r"called no self.minimize\(...\)"),
    ],
)
def test_a_wrong_step_is_explained(step, players, complaint):
    with pytest.raises(ValueError, match=complaint):
        module_with_step(step, players).fit(IMAGES, batch_size=8, verbose=0)


@pytest.mark.parametrize("part", ["the loss", "a gradient that goes into it"])
def test_a_loss_that_was_computed_outside_of_minimize_is_refused(part):
    """It would train nothing, and say so nowhere."""

    def training_step(self, images):
        if part == "the loss":
            loss = ops.mean(self.discriminator(images))
            self.minimize(lambda: {"discriminator": loss})
        else:
            slopes = kg.grad(self.discriminator, images)
            self.minimize(lambda: {"discriminator": ops.mean(ops.square(slopes))})

    with pytest.raises(ValueError, match="loss of 'discriminator' comes from none of its variables"):
        module_with_step(training_step).fit(IMAGES, batch_size=8, verbose=0)


def test_a_loss_of_gradients_alone_comes_from_the_variables_of_its_player():
    def training_step(self, images):
        self.minimize(lambda: {"discriminator": ops.mean(ops.square(kg.grad(self.discriminator, images)))})

    module = module_with_step(training_step)
    before = trainable(module)
    module.fit(IMAGES, batch_size=8, verbose=0)
    assert moved(before, module) == {"discriminator"}


def test_a_module_without_steps_says_which_is_missing():
    class Empty(kg.Module):
        def __init__(self):
            super().__init__()
            self.net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            self.compile(optimizer="adam")

    x = np.zeros((4, 2), "float32")
    with pytest.raises(TypeError, match=r"Empty defines no training_step\(batch\)"):
        Empty().fit(x, verbose=0)
    with pytest.raises(TypeError, match=r"Empty defines no validation_step\(batch\)"):
        Empty().evaluate(x, verbose=0)
    with pytest.raises(TypeError, match=r"Empty defines no call\(inputs\)"):
        Empty().predict(x, verbose=0)


def test_validation_may_not_train():
    class Cheating(ThreePlayers):
        def validation_step(self, images):
            self.training_step(images)

    with pytest.raises(RuntimeError, match="only training_step may train"):
        Cheating().evaluate(IMAGES, verbose=0)


def test_an_unbuilt_network_is_named_with_the_mend():
    class Unbuilt(ThreePlayers):
        def __init__(self):
            super().__init__()
            self.first = keras.Sequential([keras.layers.Dense(3)])
            self.compile(optimizer={"first": adam()})

    # Keras on JAX tries to build the model and wraps what it meets.
    with pytest.raises((TypeError, ValueError, RuntimeError), match=r"keras\.Input"):
        Unbuilt().fit(IMAGES, batch_size=8, verbose=0)


def test_labels_of_another_shape_than_before_are_refused():
    gan, labels = tiny_gan(), np.arange(32) % 10
    gan.fit(IMAGES, labels, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match=r"Labels of shape \('batch', 10\) .*built on labels of shape \('batch',\)"):
        gan.fit(IMAGES, np.eye(10, dtype="float32")[labels], batch_size=8, verbose=0)
    gan.fit(IMAGES, labels, batch_size=8, verbose=0)


def test_labels_of_a_step_that_failed_do_not_count():
    class Picky(kg.GAN):
        def training_step(self, batch):
            if len(batch[1].shape) > 1:
                raise TypeError("class numbers, please")
            super().training_step(batch)

    plain, labels = tiny_gan(), np.arange(32) % 10
    gan = Picky(plain.generator, plain.discriminator)
    gan.compile(optimizer={"generator": "adam", "discriminator": "adam"})
    with pytest.raises(TypeError, match="class numbers"):
        gan.fit(IMAGES, np.eye(10, dtype="float32")[labels], batch_size=8, verbose=0)
    gan.fit(IMAGES, labels, batch_size=8, verbose=0)
    assert gan.global_step == 4


@pytest.mark.parametrize("when", ["first step", "second fit", "evaluate", "predict"])
def test_after_a_step_that_raises_the_model_is_as_before_and_usable(when):
    class Fragile(ThreePlayers):
        broken = False

        def compile(self, optimizer):  # with slots, and traced in less time than Adam's
            super().compile({player: keras.optimizers.SGD(1e-3, momentum=0.9) for player in optimizer})

        def training_step(self, images):
            super().training_step(images)
            if self.broken:
                raise OSError("the user's own error")

        def validation_step(self, images):
            self.log("a", 1.0)
            if self.broken:
                raise OSError("the user's own error")

        def call(self, inputs):
            if self.broken:
                raise OSError("the user's own error")
            return self.first(inputs)

    module = Fragile()
    if when == "second fit":
        module.fit(IMAGES, batch_size=8, verbose=0)
        module.make_train_function(force=True)
    before = [*module.get_weights(), *(v.numpy() for v in module.optimizer.variables)]
    module.broken = True
    with pytest.raises(OSError, match="own error"):
        if when == "evaluate":
            module.evaluate(IMAGES, batch_size=8, verbose=0)
        elif when == "predict":
            module.predict(np.zeros((4, LATENT_DIM), "float32"), verbose=0)
        else:
            module.fit(IMAGES, batch_size=8, verbose=0)
    after = [*module.get_weights(), *(v.numpy() for v in module.optimizer.variables)]
    for one, other in zip(before, after[: len(before)], strict=True):
        np.testing.assert_array_equal(one, other)
    module.broken = False
    module.compile(optimizer={player: adam() for player in ("first", "second", "discriminator")})
    module.fit(IMAGES, batch_size=8, verbose=0)
    assert module.global_step == 4


def test_too_many_logged_names_are_refused():
    def step(self, x):
        for number in range(100):
            self.log(f"name_{number}", 1.0)

    with pytest.raises(ValueError, match="a module may log 64"):
        module_with_step(step).fit(IMAGES, batch_size=8, verbose=0)
