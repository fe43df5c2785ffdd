"""Mixed precision from the first step to the exported file: what computes in bfloat16, and what may not."""

import keras
import numpy as np
import pytest
from keras import ops

import kerasgan as kg
from kerasgan.testing import TinyWassersteinGAN, tiny_discriminator, tiny_images

IMAGES = tiny_images(32)


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def dcgan():
    gan = kg.GAN.dcgan((8, 8, 1), latent_dim=4, seed=0)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    return gan


def classifier():
    inputs = keras.Input((8, 8, 1))
    logits = keras.layers.Dense(10, dtype="float32")(keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(inputs)))
    module = kg.Classifier(keras.Model(inputs, logits))
    module.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return module


def train(module, **options):
    data = (IMAGES, np.arange(32) % 10) if isinstance(module, kg.Classifier) else (IMAGES,)
    return module.fit(*data, batch_size=8, verbose=0, shuffle=False, **options).history


@pytest.mark.parametrize("build", [dcgan, TinyWassersteinGAN, classifier])
def test_layers_compute_in_bfloat16_and_all_that_is_kept_is_float32(bfloat16, build, monkeypatch):
    seen = {}
    minimize = kg.Module.minimize

    def watched(module, losses):
        values = minimize(module, losses)
        seen.update({player: dtype_of(value) for player, value in values.items()})
        return values

    monkeypatch.setattr(kg.Module, "minimize", watched)
    module = build()
    train(module)
    for player in module.players:
        assert "bfloat16" in {layer.compute_dtype for layer in getattr(module, player).layers}
    kept = [*module.variables, *module.optimizer.variables]
    assert {dtype_of(variable) for variable in kept if "float" in dtype_of(variable)} == {"float32"}
    assert seen and set(seen.values()) == {"float32"}
    logged = {name: dtype_of(ops.convert_to_tensor(value)) for name, value in module.get_metrics_result().items()}
    assert logged and set(logged.values()) == {"float32"}


@pytest.mark.parametrize("build", [dcgan, classifier])
def test_losses_are_near_those_of_float32_and_not_the_same(bfloat16, build):
    keras.utils.set_random_seed(1)
    mixed = train(build())
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(1)
    full = train(build())
    name = next(name for name in full if name.endswith("loss"))
    np.testing.assert_allclose(mixed[name], full[name], rtol=0.05)
    assert mixed[name] != full[name]


@pytest.mark.parametrize("inputs", ["float32", "bfloat16"])
def test_a_gradient_penalty_is_summed_in_float32(bfloat16, inputs):
    # The critic adds up 257 pixels: its slopes are ones and their squares sum to 257, which bfloat16 does not know.
    critic = keras.Sequential([keras.Input((257,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    assert critic.layers[0].compute_dtype == "bfloat16"
    slopes = kg.grad(critic, ops.ones((2, 257), dtype=inputs))
    assert dtype_of(slopes) == "float32"
    penalty = ops.sum(ops.square(slopes), axis=1)
    assert dtype_of(penalty) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(penalty), [257.0, 257.0])
    # The control.
    rounded = ops.cast(ops.sum(ops.square(ops.cast(slopes, "bfloat16")), axis=1), "float32")
    assert 257.0 not in ops.convert_to_numpy(rounded)


def test_a_gradient_penalty_under_bfloat16_moves_the_critic_as_in_float32():
    def gradient_of_penalty(policy):
        keras.config.set_dtype_policy(policy)
        critic = tiny_discriminator(dropout=0.0, batch_normalization=True)
        module = R1Alone(critic)
        module.compile(optimizer={"critic": keras.optimizers.SGD(1.0)})
        before = [ops.convert_to_numpy(variable) for variable in critic.trainable_variables]
        module.train_on_batch(IMAGES[:16])
        after = [ops.convert_to_numpy(variable) for variable in critic.trainable_variables]
        return np.concatenate([(new - old).ravel() for new, old in zip(after, before, strict=True)])

    try:
        full, mixed = gradient_of_penalty("float32"), gradient_of_penalty("mixed_bfloat16")
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.linalg.norm(full) > 0
    assert 0 < np.linalg.norm(mixed - full) < 0.15 * np.linalg.norm(full)


class R1Alone(kg.Module):
    def __init__(self, critic):
        super().__init__()
        self.critic = critic

    def training_step(self, images):
        self.minimize(lambda: {"critic": self.penalty(images)})

    def penalty(self, images):
        slopes = kg.grad(lambda x: self.critic(x, training=True), images)
        return ops.mean(ops.sum(ops.square(slopes), axis=(1, 2, 3)))


@pytest.mark.parametrize(("build", "file"), [(dcgan, "generator.keras"), (classifier, "model.keras")])
def test_a_network_exported_from_a_bfloat16_run_loads_and_answers_the_same(bfloat16, tmp_path, build, file):
    trainer = kg.Trainer(tmp_path / "run", precision="mixed_bfloat16", max_epochs=1)
    module = build()
    labels = (np.arange(32) % 10,) if build is classifier else ()
    trainer.fit(module, (IMAGES, *labels) if labels else IMAGES, batch_size=8)
    keras.config.set_dtype_policy("float32")  # as in whoever's process loads it
    network = keras.saving.load_model(tmp_path / "run" / file)
    own = module.generator if build is dcgan else module.network
    inputs = np.random.default_rng(0).standard_normal((4, *network.input_shape[1:])).astype("float32")
    answer = network.predict(inputs, verbose=0)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, own.predict(inputs, verbose=0))
    assert {weight.dtype for weight in network.weights if "float" in weight.dtype} == {"float32"}


def test_heads_that_are_left_in_half_precision_have_losses_of_float32(bfloat16):
    dense, judge = keras.layers.Dense, keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    judge.add(dense(1))
    made = [keras.Input((4,)), dense(64, activation="tanh"), keras.layers.Reshape((8, 8, 1))]
    gan = kg.GAN(keras.Sequential(made), judge, penalties={"wgan_gp": 1.0, "dragan": 1.0})
    gan.compile(optimizer={player: keras.optimizers.SGD() for player in ("generator", "discriminator")})
    assert dtype_of(judge(IMAGES)) == dtype_of(gan.generator(np.zeros((1, 4)))) == "bfloat16"
    assert np.isfinite(list(train(gan).values())).all()
    losses = gan.losses_of(ops.convert_to_tensor(IMAGES), ops.ones((32, 4)), training=False)
    assert {dtype_of(loss) for loss in losses.values()} == {"float32"}
