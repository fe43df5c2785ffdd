import json
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import ThreePlayers, tiny_gan, tiny_images
from kerasgan.trainer.signals import StopOnSignal
from tests.reuse import as_made


def tiny_data(count=40, **options):
    return kg.data.DataModule(tiny_images(count), **{"batch_size": 8, "val_size": 8, "seed": 0, **options})


def train(run_dir, module=None, data=None, resume=False, **options):
    callbacks = options.pop("callbacks", [kg.callbacks.Checkpoint()])
    module, data = module or tiny_gan(), data or tiny_data()
    trainer = kg.Trainer(run_dir, callbacks=callbacks, **{"seed": 0, **options})
    return module, trainer.fit(module, data, resume=resume)


def results(run_dir):
    return json.loads((run_dir / "results.json").read_text())


def state(module):
    return kg.checkpoints.capture(module)


def without_means(module):
    return {name: value for name, value in state(module).items() if not name.startswith("metric/")}


def assert_equal_states(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def renew():
    """Return the same GAN as new, with the programs of the tests before: for those that look at the run alone."""
    return as_made(tiny_gan())


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    train(run_dir)
    return run_dir


@pytest.fixture
def run(one_epoch, tmp_path):
    """A copy of a run of one epoch that has ended."""
    return Path(shutil.copytree(one_epoch, tmp_path / "run"))


# What a run leaves behind.


def test_a_run_directory_is_complete(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Path("runs/tiny-001")
    callbacks = [kg.callbacks.ImageGrid(), kg.callbacks.Checkpoint()]
    _, history = train(run, max_epochs=2, callbacks=callbacks)
    assert {path.name for path in run.iterdir()} == {
        "config.json", "metrics.csv", "samples", "tensorboard", "checkpoints", "results.json", "generator.keras",
        "generator.json", "generator.weights.h5",
    }  # fmt: skip
    assert [path.name for path in sorted((run / "samples").iterdir())] == ["epoch-0001.png", "epoch-0002.png"]
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-000000004", "step-000000008"]
    config = json.loads((run / "config.json").read_text())
    assert config["backend"] == keras.backend.backend()
    assert config["versions"]["keras"] == keras.__version__
    assert config["trainer"]["max_epochs"] == 2
    assert config["data"]["fingerprint"] == tiny_data().fingerprint()
    finished = results(run)
    assert (finished["status"], finished["steps"], finished["epochs"]) == ("done", 8, 2)
    assert finished["metrics"]["val_generator_loss"] == history.history["val_generator_loss"][-1]
    assert finished["wall_seconds"] > 0
    assert finished["images_per_second"] == pytest.approx(64 / finished["wall_seconds"], rel=0.1)
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    printed = capsys.readouterr().out
    for expected in (
        "GAN",
        "generator 1,216",
        "discriminator 1,057",
        "float32",
        "epoch-0002.png",
        "tensorboard --logdir",
    ):
        assert expected in printed, printed
    tables = [line for line in printed.splitlines() if not line.startswith("epoch ")]
    assert max(len(line) for line in tables) <= 80


def test_the_exported_generator_is_of_stock_layers_and_makes_the_same_images(tmp_path):
    gan, _ = train(tmp_path / "run")
    generator = keras.saving.load_model(tmp_path / "run" / "generator.keras")
    latents = np.random.default_rng(0).standard_normal((4, 4)).astype("float32")
    np.testing.assert_allclose(generator(latents), gan.generate(latents=latents), atol=1e-6)


def test_a_run_is_never_overwritten(tmp_path, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(kg.RunDirectoryError, match=r"already holds a run .* resume it .*or choose another"):
        train(run)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(kg.RunDirectoryError, match="holds no run to resume"):
        train(tmp_path / "other", resume=True)
    (tmp_path / "file").touch()
    with pytest.raises(kg.RunDirectoryError, match="is a file; choose a directory"):
        train(tmp_path / "file")


def test_load_run_rebuilds_the_module(tmp_path):
    gan, _ = train(tmp_path / "run", max_epochs=2)
    loaded = kg.load_run(tmp_path / "run")
    assert type(loaded) is kg.GAN
    assert_equal_states(without_means(gan), without_means(loaded))
    assert kg.load_run(tmp_path / "run", step=4).global_step == 4
    with pytest.raises(kg.RunDirectoryError, match="holds no run"):
        kg.load_run(tmp_path)


def test_fresh_run_directories_count_up(tmp_path):
    assert kg.fresh_run_dir(tmp_path, "gan").name == "gan-001"
    assert kg.fresh_run_dir(tmp_path, "gan").name == "gan-002"
    (tmp_path / "gan-012").mkdir()
    (tmp_path / "gan-x").mkdir()
    assert kg.fresh_run_dir(tmp_path, "gan").name == "gan-013"


# Limits.


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"max_epochs": 3}, 12),
        ({"max_steps": 6}, 6),
        ({"max_steps": 2}, 2),
        ({"max_epochs": 1, "max_steps": 6}, 4),
        ({"max_epochs": 2, "limit_train_batches": 3}, 6),
        ({"max_epochs": 2, "limit_train_batches": 0.5}, 4),
        ({"max_epochs": 2, "overfit_batches": 1}, 2),
        ({}, 4),
    ],
    ids=str,
)
def test_limits_are_exact(tmp_path, renew, options, steps):
    gan, _ = train(tmp_path / "run", module=renew(), **options)
    assert gan.global_step == steps
    assert results(tmp_path / "run")["steps"] == steps


def test_overfitting_sees_the_same_batch_every_time(tmp_path):
    class Watching(kg.GAN):
        def training_step(self, batch):
            super().training_step(batch)
            self.log("sum", keras.ops.sum(batch[0] if isinstance(batch, tuple) else batch))

    plain = tiny_gan()
    gan = Watching(plain.generator, plain.discriminator, seed=0)
    gan.compile(optimizer={"generator": "adam", "discriminator": "adam"})
    _, history = train(tmp_path / "run", module=gan, max_epochs=3, overfit_batches=1)
    assert len(set(history.history["sum"])) == 1


def test_fast_dev_run_tries_everything_and_keeps_nothing(tmp_path, capsys):
    places = [kg.callbacks.ImageGrid(tmp_path / "grids"), kg.callbacks.Checkpoint(tmp_path / "elsewhere")]
    gan, history = train(
        tmp_path / "run", max_epochs=5, fast_dev_run=True, check_val_every_n_epochs=5, callbacks=places
    )
    assert gan.global_step == 1
    assert "val_generator_loss" in history.history
    assert list(tmp_path.iterdir()) == []
    assert "nothing was kept" in capsys.readouterr().out
    train(tmp_path / "run", callbacks=places)
    assert (tmp_path / "elsewhere").exists()


def test_validation_comes_every_n_epochs(tmp_path, renew):
    _, history = train(tmp_path / "run", module=renew(), max_epochs=4, check_val_every_n_epochs=2)
    assert len(history.history["val_generator_loss"]) == 2


def test_a_module_without_validation_step_trains_on_data_with_a_validation_split(tmp_path):
    module, history = train(tmp_path / "run", module=ThreePlayers())
    assert module.global_step == 4
    assert not any(name.startswith("val_") for name in history.history)


def test_arrays_and_tuples_are_taken_as_keras_takes_them(tmp_path):
    images = tiny_images(32)
    for name, data in (("x", images), ("xy", (images, np.zeros(32)))):
        trainer = kg.Trainer(tmp_path / name)
        gan = tiny_gan()
        trainer.fit(gan, data, batch_size=8, validation_data=(images,) if name == "x" else (images, np.zeros(32)))
        assert gan.global_step == 4


def test_a_stock_keras_model_trains_too(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    kg.Trainer(tmp_path / "run", callbacks=[kg.callbacks.Checkpoint()]).fit(
        model, (tiny_images(16), np.zeros((16, 1), "float32")), batch_size=8
    )
    assert results(tmp_path / "run")["steps"] == 2
    assert (tmp_path / "run" / "model.keras").exists()


def test_validate_test_and_predict(tmp_path):
    images = tiny_images(24)
    data = tiny_data(test=(images, None))
    trainer, gan = kg.Trainer(tmp_path / "run"), tiny_gan()
    assert set(trainer.validate(gan, data)) == {"generator_loss", "discriminator_loss"}
    assert set(trainer.test(gan, data)) == {"generator_loss", "discriminator_loss"}
    latents = np.zeros((5, 4), "float32")
    np.testing.assert_allclose(trainer.predict(gan, latents), gan.generate(latents=latents), atol=1e-6)
    with pytest.raises(ValueError, match="has no test split, only train"):
        trainer.test(gan, tiny_data())


# Options.


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_epochs": 0}, "max_epochs is 0; choose a positive number"),
        ({"max_steps": -1}, "max_steps is -1"),
        ({"limit_train_batches": 0.0}, "limit_train_batches is 0.0"),
        ({"precision": "float8"}, "precision is 'float8'; choose one of float32, mixed_bfloat16"),
    ],
)
def test_options_out_of_range_are_named(tmp_path, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        kg.Trainer(tmp_path / "run", **options)


def test_a_module_built_before_the_precision_was_set_is_refused(tmp_path):
    gan = tiny_gan()
    try:
        trainer = kg.Trainer(tmp_path / "run", precision="mixed_bfloat16")
        with pytest.raises(ValueError, match="built in float32; make the Trainer first"):
            trainer.fit(gan, tiny_data())
        trainer.fit(tiny_gan(), tiny_data())
    finally:
        keras.config.set_dtype_policy("float32")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["precision"] == "mixed_bfloat16"


def test_an_uncompiled_module_is_refused_before_anything_is_written(tmp_path):
    gan = tiny_gan()
    with pytest.raises(ValueError, match="is not compiled"):
        kg.Trainer(tmp_path / "run").fit(kg.GAN(gan.generator, gan.discriminator), tiny_data())
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_no_module_steps_as_keras_does(tmp_path):
    seen = []
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    note = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(batch))
    data = (tiny_images(40), np.zeros((40, 1)))
    kg.Trainer(tmp_path / "run", callbacks=[note], steps_per_execution=2).fit(model, data, batch_size=8)
    assert seen == [0, 2, 4]
    assert model.steps_per_execution == 1


def test_equal_seeds_give_equal_runs(tmp_path):
    states = []
    for name in ("one", "other"):
        keras.utils.set_random_seed(1)
        states.append(state(train(tmp_path / name, max_epochs=2)[0]))
    assert_equal_states(*states)


# Ends.


def test_a_callback_of_the_users_replaces_the_default_of_its_kind(tmp_path, renew):
    train(tmp_path / "run", module=renew(), callbacks=[kg.callbacks.CSVLogger(tmp_path / "elsewhere.csv")])
    assert (tmp_path / "elsewhere.csv").exists()
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_a_loss_that_is_nan_ends_the_run_as_failed(tmp_path):
    class Diverging(kg.GAN):
        def losses_of(self, images, latents, training, labels=None):
            losses = super().losses_of(images, latents, training)
            return {**losses, "generator": losses["generator"] * float("nan")}

    plain = tiny_gan()
    gan = Diverging(plain.generator, plain.discriminator)
    gan.compile(optimizer={"generator": "adam", "discriminator": "adam"})
    with pytest.raises(kg.callbacks.NonFiniteLoss, match="generator_loss is nan at step 1 "):
        train(tmp_path / "run", module=gan)
    assert results(tmp_path / "run")["status"] == "failed"
    assert kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints").steps() == []


class SignalAt(keras.callbacks.Callback):
    """Sends this process a signal during one batch."""

    def __init__(self, batch, number):
        super().__init__()
        self.batch, self.number = batch, number

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_step_saves_and_the_resumed_run_is_the_same_run(tmp_path, number):
    def fresh():
        keras.utils.set_random_seed(0)
        return tiny_gan()

    whole, _ = train(tmp_path / "whole", module=fresh(), max_epochs=3)

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    callbacks = [kg.callbacks.Checkpoint(), SignalAt(2, number)]
    with pytest.raises(kg.Interrupted, match=f"{number.name}: the state is saved") as caught:
        train(tmp_path / "run", module=fresh(), max_epochs=3, callbacks=callbacks)
    assert caught.value.signal == number
    assert handlers == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
    assert results(tmp_path / "run")["status"] == "interrupted"
    assert kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints").steps() == [3]

    resumed, history = train(tmp_path / "run", module=fresh(), max_epochs=3, resume=True)
    assert history.epoch == [0, 1, 2]
    assert results(tmp_path / "run")["steps"] == 12
    assert_equal_states(state(whole), state(resumed))
    rows = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in ("whole", "run")]
    losses = [[row.split(",")[3:] for row in table] for table in rows]
    assert losses[0] == losses[1]


def test_leaving_the_seeds_out_of_a_checkpoint_changes_the_resumed_run(tmp_path):
    """The negative control of the test above: what it compares depends on what is saved."""

    def fresh():
        keras.utils.set_random_seed(0)
        return tiny_gan()

    whole, _ = train(tmp_path / "whole", module=fresh(), max_epochs=2)
    first, _ = train(tmp_path / "first", module=fresh(), max_epochs=1)
    for without in ("seed/", "optimizer/discriminator/"):
        second = fresh()
        kept = {
            name: value if not name.startswith(without) else state(second)[name] for name, value in state(first).items()
        }
        kg.checkpoints.restore(second, kept)
        second.fit(_epoch(tiny_data(), 1), verbose=0, shuffle=False)
        differs = [name for name, value in state(whole).items() if not np.array_equal(value, state(second)[name])]
        assert any(name.startswith("player/") for name in differs), without
    third = fresh()
    kg.checkpoints.restore(third, state(first))
    third.fit(_epoch(tiny_data(), 1), verbose=0, shuffle=False)
    for name, value in state(whole).items():
        if name.startswith(("player/", "optimizer/", "seed/")):
            np.testing.assert_array_equal(value, state(third)[name], err_msg=name)


def _epoch(data, epoch):
    data.train.epoch = epoch
    return data.train


def test_a_second_interrupt_stops_at_once():
    with StopOnSignal(None), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_a_history_says_how_many_epochs_it_has_and_of_what(tmp_path, renew):
    _, history = train(tmp_path / "run", module=renew(), max_epochs=2, data=tiny_data(val_size=0))
    assert repr(history) == "Record(epochs=2, keys=['discriminator_loss', 'generator_loss'])"


def test_resuming_a_finished_run_for_more_epochs_goes_on(tmp_path):
    train(tmp_path / "run", max_epochs=1)
    gan, history = train(tmp_path / "run", max_epochs=3, resume=True)
    assert history.epoch == [1, 2]
    assert gan.global_step == 12
    assert [row.split(",")[0] for row in (tmp_path / "run" / "metrics.csv").read_text().splitlines()] == [
        "epoch", "1", "2", "3",
    ]  # fmt: skip


def test_resuming_after_max_steps_in_mid_epoch_trains_the_rest_of_that_epoch(tmp_path):
    def fresh():
        keras.utils.set_random_seed(0)
        return tiny_gan()

    whole, _ = train(tmp_path / "whole", module=fresh(), max_epochs=2)
    train(tmp_path / "run", module=fresh(), max_epochs=2, max_steps=3)
    gan, _ = train(tmp_path / "run", module=fresh(), max_epochs=2, resume=True)
    assert gan.global_step == 8
    assert_equal_states(state(whole), state(gan))


def test_checkpoints_in_another_place_are_found_again(tmp_path):
    def callbacks():
        return [kg.callbacks.Checkpoint(tmp_path / "elsewhere")]

    train(tmp_path / "run", callbacks=callbacks())
    gan, history = train(tmp_path / "run", max_epochs=2, callbacks=callbacks(), resume=True)
    assert history.epoch == [1]
    assert kg.load_run(tmp_path / "run").global_step == gan.global_step == 8


def test_a_run_without_checkpoints_is_not_overwritten_by_a_resume(tmp_path, renew):
    train(tmp_path / "run", module=renew(), max_epochs=2, callbacks=[])
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    with pytest.raises(kg.RunDirectoryError, match="no checkpoint to go on from; choose another"):
        train(tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before


def test_resuming_a_finished_run_trains_nothing_and_keeps_its_results(tmp_path):
    train(tmp_path / "run", max_epochs=2, max_steps=6)
    before = results(tmp_path / "run")
    for _ in range(2):
        gan, _ = train(tmp_path / "run", max_epochs=2, max_steps=6, resume=True)
        assert gan.global_step == 6
    after = results(tmp_path / "run")
    assert {name: after[name] for name in ("status", "steps", "metrics")} == {
        name: before[name] for name in ("status", "steps", "metrics")
    }
    assert after["wall_seconds"] >= before["wall_seconds"]


def test_an_epoch_that_was_begun_counts_before_and_after_a_resume_that_finds_nothing_to_do(tmp_path):
    for resume in (False, True):
        train(tmp_path / "run", max_epochs=9, max_steps=6, resume=resume)
        assert (results(tmp_path / "run")["steps"], results(tmp_path / "run")["epochs"]) == (6, 2)  # epochs of 4


def test_the_run_of_another_kind_of_module_is_refused_as_such(run):
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    classifier = kg.Classifier(keras.Sequential(layers))
    classifier.compile(optimizer="sgd", loss="mse")
    trainer = kg.Trainer(run, max_epochs=2, callbacks=[kg.callbacks.Checkpoint()])
    for allow in (False, True):
        with pytest.raises(ValueError, match=r"is the run of a GAN, and this is a Classifier; build a GAN, or start a"):
            trainer.fit(classifier, tiny_data(), resume=True, allow_changes=allow)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data": tiny_data(batch_size=4)}, "batch_size was 8 and is 4"),
        ({"data": tiny_data(seed=1)}, "seed was 0 and is 1"),
        ({"data": tiny_data(count=44)}, r"data is not the same \(other images, labels or splits\)"),
    ],
    ids=["batch size", "seed", "other images"],
)
def test_resuming_with_other_data_is_refused_by_name(run, change, named):
    with pytest.raises(ValueError, match=f"cannot be resumed with other settings: .*{named}"):
        train(run, max_epochs=2, resume=True, **change)


def test_resuming_with_another_learning_rate_is_refused_by_name(run):
    gan = tiny_gan()
    gan.compile(optimizer={player: keras.optimizers.Adam(5e-3) for player in ("generator", "discriminator")})
    with pytest.raises(ValueError, match=r"generator learning_rate was 0\.001 and is 0\.005"):
        train(run, module=gan, max_epochs=2, resume=True)


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (lambda: tiny_gan(loss="hinge"), "loss was non_saturating and is hinge"),
        (lambda: compiled(keras.optimizers.Adam(1e-3, clipnorm=1.0)), "generator clipnorm was None and is 1.0"),
        (
            lambda: compiled(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, 9))),
            "generator learning_rate .*is",
        ),
    ],
    ids=["loss", "clipping", "schedule"],
)
def test_resuming_with_another_loss_or_optimizer_setting_is_refused_by_name(run, module, named):
    with pytest.raises(ValueError, match=named):
        train(run, module=module(), max_epochs=2, resume=True)


def functional_gan(discriminator_input):
    """A discriminator of named layers, whose second hidden one is fed by the first or by the images again."""
    images = keras.Input((8, 8, 1))
    pixels = keras.layers.Flatten()(images)
    hidden = keras.layers.Dense(64)(pixels)
    again = keras.layers.Dense(8)(hidden if discriminator_input == "hidden" else pixels)
    discriminator = keras.Model(images, keras.layers.Dense(1)(keras.layers.Concatenate()([hidden, again])))
    gan = kg.GAN(tiny_gan().generator, discriminator)
    gan.compile(optimizer={player: keras.optimizers.Adam(1e-3) for player in ("generator", "discriminator")})
    return gan


def test_a_functional_network_built_a_second_time_resumes_under_its_other_generated_names(tmp_path):
    train(tmp_path / "run", module=functional_gan("hidden"))
    _, history = train(tmp_path / "run", module=functional_gan("hidden"), max_epochs=2, resume=True)
    assert history.epoch == [1]


def test_a_functional_network_that_is_wired_otherwise_is_refused(tmp_path):
    train(tmp_path / "run", module=functional_gan("hidden"))
    with pytest.raises(ValueError, match=r"discriminator layer 3 Dense inputs was layer 2 and is layer 1"):
        train(tmp_path / "run", module=functional_gan("pixels"), max_epochs=2, resume=True)


def compiled(generator_optimizer):
    gan = tiny_gan()
    gan.compile(optimizer={"generator": generator_optimizer, "discriminator": keras.optimizers.Adam(1e-3)})
    return gan


def test_an_averaging_optimizer_resumed_in_mid_epoch_is_the_same_run(tmp_path):
    def fresh():
        keras.utils.set_random_seed(0)
        gan = tiny_gan()
        players = ("generator", "discriminator")
        gan.compile(optimizer={p: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.5) for p in players})
        return gan

    whole, _ = train(tmp_path / "whole", module=fresh(), max_epochs=2)
    with pytest.raises(kg.Interrupted):
        stopped = [kg.callbacks.Checkpoint(), SignalAt(2, signal.SIGTERM)]
        train(tmp_path / "run", module=fresh(), max_epochs=2, callbacks=stopped)
    resumed, _ = train(tmp_path / "run", module=fresh(), max_epochs=2, resume=True)
    assert_equal_states(state(whole), state(resumed))


def test_a_resumed_epoch_that_is_stopped_again_leaves_averaging_on(tmp_path):
    def stop_at(batch, module, **options):
        callbacks = [kg.callbacks.Checkpoint(), SignalAt(batch, signal.SIGTERM)]
        with pytest.raises(kg.Interrupted):
            train(tmp_path / "run", module=module, callbacks=callbacks, **options)

    stop_at(1, tiny_gan())
    again = tiny_gan()
    stop_at(0, again, resume=True)
    assert again.global_step == 3
    assert "finalize_variable_values" not in vars(again.optimizer)


def test_arrays_resumed_in_mid_epoch_start_that_epoch_again_and_say_so(tmp_path, capsys):
    images = tiny_images(32)

    def fit(**options):
        trainer = kg.Trainer(tmp_path / "run", max_epochs=2, callbacks=[kg.callbacks.Checkpoint()], **options)
        gan = tiny_gan()
        trainer.fit(gan, images, batch_size=8, resume="max_steps" not in options)
        return gan

    fit(max_steps=2)
    assert fit().global_step == 2 + 8
    assert "epoch 1 starts again" in capsys.readouterr().err


def test_an_error_before_the_first_step_is_not_hidden_by_the_end_of_the_run(tmp_path):
    with pytest.raises(TypeError, match="ThreePlayers has no method generate"):
        train(tmp_path / "run", module=ThreePlayers(), callbacks=[kg.callbacks.ImageGrid()])
    assert results(tmp_path / "run")["status"] == "failed"


def test_a_subclassed_model_without_config_is_trained_exported_and_loaded_into_one_of_its_kind(tmp_path):
    class Own(kg.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network
            self.compile(optimizer="adam")

        def training_step(self, batch):
            images = batch[0] if isinstance(batch, tuple) else batch
            self.minimize(lambda: {"network": keras.ops.mean(keras.ops.square(self.network(images)))})

    def own():
        return Own(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]))

    module, _ = train(tmp_path / "run", module=own())
    assert (tmp_path / "run" / "network.keras").exists()
    with pytest.raises(kg.RunDirectoryError, match="pass it as load_run"):
        kg.load_run(tmp_path / "run")
    assert_equal_states(without_means(module), without_means(kg.load_run(tmp_path / "run", module=own())))
