import csv
import random
import time

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.callbacks import Checkpoint, CSVLogger, ImageGrid, SampleQuality, sample_quality
from kerasgan.metrics import QUICK_MEASURES, FeatureNetworkError, feature_network, yardstick
from kerasgan.testing import tiny_gan, tiny_images

LOGS = {*QUICK_MEASURES, "quality_seconds"}


@pytest.fixture(scope="module")
def network():
    """Rows and columns of an image: 16 features."""
    inputs = keras.Input((8, 8, 1))
    parts = [keras.ops.mean(inputs, axis=(2, 3)), keras.ops.mean(inputs, axis=(1, 3))]
    return feature_network(keras.Model(inputs, keras.layers.Concatenate()(parts), name="squares"))


@pytest.fixture
def quality(network):
    return lambda images=None, **options: SampleQuality(
        tiny_images(60) if images is None else images, **{"network": network, "samples": 40, **options}
    )


def squares(name="squares", **options):
    return kg.data.DataModule(tiny_images(64), name=name, batch_size=16, **options)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_figures_are_those_of_the_samples_against_as_many_real_images(fit, model, quality, network):
    history = fit([quality(every_n_epochs=1, seed=7)], epochs=1).history
    assert history.keys() == {"loss", "mae"} | LOGS
    chosen = tiny_images(60)[np.random.default_rng(7).permutation(60)[:40]]
    expected = yardstick(chosen, network).measure(model.generate(40, 7))
    for name, value in expected.items():
        assert history[name] == [pytest.approx(value, rel=1e-6)], name
    assert history["quality_seconds"][0] > 0


def test_its_cost_is_what_it_took(fit, model, quality, monkeypatch):
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda *given, **named: time.sleep(0.3) or generate(*given, **named))
    (seconds,) = fit([quality(every_n_epochs=1)], epochs=1).history["quality_seconds"]
    assert 0.3 < seconds < 10


def test_every_second_epoch_means_the_second_and_the_fourth_always_of_the_same_latents(fit, model, quality, tmp_path):
    callbacks = [quality(every_n_epochs=2, seed=3), CSVLogger(tmp_path / "metrics.csv")]
    fit(callbacks, epochs=5)
    assert model.asked == [(40, 3), (40, 3)]
    rows = rows_of(tmp_path / "metrics.csv")
    assert {*rows[0]} >= LOGS  # one header for all
    assert [bool(row["frechet_distance"]) for row in rows] == [False, True, False, True, False]
    assert all(row["loss"] for row in rows)


def test_one_instance_serves_two_fits(fit, model, quality):
    callback = quality(every_n_epochs=2)
    found = [*fit([callback]).history["recall"], *fit([callback], epochs=4, initial_epoch=2).history["recall"]]
    assert len(found) == 2 and model.asked == [(40, 0), (40, 0)]


def test_callbacks_after_it_see_its_figures_and_those_before_do_not(fit, quality, tmp_path):
    before, after = CSVLogger(tmp_path / "before.csv"), CSVLogger(tmp_path / "after.csv")
    fit([before, quality(every_n_epochs=1), after], epochs=1)
    assert not LOGS & {*rows_of(tmp_path / "before.csv")[0]}
    assert {*rows_of(tmp_path / "after.csv")[0]} > LOGS


def test_better_samples_measure_better(fit, model, quality, monkeypatch):
    def noisy(scale):
        noise = np.random.default_rng(1).normal(0, scale, (40, 8, 8, 1))
        return np.clip(tiny_images(40, seed=5) + noise, -1, 1).astype("float32")

    found = []
    for scale in (0.0, 1.0):
        monkeypatch.setattr(model, "generate", lambda count, seed, scale=scale: noisy(scale))
        found.append(fit([quality(every_n_epochs=1)], epochs=1).history)
    good, bad = found
    assert bad["frechet_distance"][0] > 3 * good["frechet_distance"][0]
    assert bad["kernel_distance"][0] > good["kernel_distance"][0]
    assert bad["precision"][0] < good["precision"][0] - 0.15


def test_the_best_checkpoint_is_kept_by_a_figure_that_not_every_epoch_has(fit, quality, tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoints", monitor="frechet_distance", keep_last=1)
    history = fit([quality(every_n_epochs=2), checkpoint], epochs=5).history
    best = kg.checkpoints.CheckpointStore(tmp_path / "checkpoints").steps()[0]
    assert best == 4 * 2 * (1 + int(np.argmin(history["frechet_distance"])))


def test_a_checkpoint_that_never_sees_the_figure_says_so(fit, tmp_path):
    with pytest.warns(UserWarning, match="never saw 'frechet_distance' in the logs"):
        fit([Checkpoint(tmp_path / "checkpoints", monitor="frechet_distance")], epochs=1)


def test_it_leaves_training_and_the_numbers_of_chance_as_they_were(fit, model, data, quality):
    weights = [np.array(weight) for weight in model.get_weights()]
    alone = fit([], epochs=3, shuffle=False).history
    model.set_weights(weights)
    model.optimizer.iterations.assign(0)
    random.seed(5)
    state = random.getstate()
    sampled = SampleQuality(np.zeros((40, 28, 28, 1), np.uint8), network="mnist", samples=20)
    sampled.set_model(model)
    sampled.on_train_begin()
    assert random.getstate() == state
    watched = fit([quality(every_n_epochs=1)], epochs=3, shuffle=False).history
    assert {name: watched[name] for name in alone} == alone


def test_samples_that_are_not_finite_are_left_out_with_a_warning(fit, model, quality, monkeypatch):
    monkeypatch.setattr(model, "generate", lambda count, seed: np.full((count, 8, 8, 1), np.nan, "float32"))
    with pytest.warns(UserWarning, match="samples of epoch 1 are not measured: images hold NaN or infinity"):
        assert not LOGS & fit([quality(every_n_epochs=1)], epochs=1).history.keys()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"every_n_epochs": 0}, "every_n_epochs is 0"),
        ({"samples": 19}, "samples is 19; draw at least 20"),
    ],
)
def test_numbers_that_say_nothing_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        SampleQuality(**options)


@pytest.mark.parametrize(
    ("images", "options", "complaint"),
    [
        (None, {}, r"no real images to hold samples against; give some, as in SampleQuality\(images\)"),
        (tiny_images(30), {}, r"SampleQuality\(network=...\) is needed: no feature network .* images of \(8, 8, 1\)"),
        (tiny_images(30), {"network": "mnist"}, r"the feature network mnist takes \(count, 28, 28, 1\)"),
        (tiny_images(30), {"network": "vgg"}, "feature network 'vgg' is unknown"),
        (np.zeros((19, 28, 28, 1), np.uint8), {"network": "mnist"}, "reals has 19 images; give at least 20"),
    ],
    ids=["no images", "no network", "another size", "unknown network", "hardly any image"],
)
def test_what_cannot_be_measured_is_refused_before_the_first_step(fit, model, images, options, complaint):
    with pytest.raises(ValueError, match=complaint) as raised:
        fit([SampleQuality(images, **options)])
    assert "\n" not in str(raised.value)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0


def test_a_model_that_generates_nothing_is_refused(data, quality):
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(TypeError, match=r"Sequential has no method generate\(count, seed=\.\.\.\)"):
        model.fit(*data, verbose=0, callbacks=[quality()])


def test_a_model_that_cannot_be_asked_for_a_seed_is_refused(fit, model, quality, monkeypatch):
    monkeypatch.setattr(model, "generate", lambda count: tiny_images(count))
    for callback in (quality(), ImageGrid("unused")):
        with pytest.raises(TypeError, match=r"has generate\(count\), and no generate\(count, seed=\.\.\.\)"):
            fit([callback])


def test_a_model_that_knows_classes_and_takes_no_labels_is_asked_for_none(model, network, monkeypatch):
    monkeypatch.setattr(model, "num_classes", 3, raising=False)
    callback = SampleQuality(network=network, every_n_epochs=1, samples=30)
    callback.describe(kg.data.DataModule(tiny_images(40), [0] * 40, batch_size=8, val_size=0))
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, logs := {})
    assert logs.keys() == LOGS


def test_samples_may_be_tensors_but_not_fewer_than_asked_for(fit, model, quality, monkeypatch):
    monkeypatch.setattr(model, "generate", lambda count, seed: keras.ops.convert_to_tensor(tiny_images(count)))
    assert fit([quality(every_n_epochs=1)], epochs=1).history.keys() >= LOGS
    monkeypatch.setattr(model, "generate", lambda count, seed: tiny_images(25))
    with pytest.warns(UserWarning, match=r"not measured: generate\(40, ...\) has returned 25 images"):
        fit([quality(every_n_epochs=1)], epochs=1)


def test_samples_from_zero_to_one_are_warned_of(fit, model, quality, monkeypatch):
    monkeypatch.setattr(model, "generate", lambda count, seed: (tiny_images(count) + 1) / 2)
    with pytest.warns(UserWarning, match=r"generate\(\) lies in \[0, 1\]"):
        fit([quality(every_n_epochs=1)], epochs=1)


def test_the_network_is_chosen_by_the_name_of_the_data(model):
    chosen = {}
    for name in ("digits", "fashion-mnist", "squares"):
        callback = SampleQuality(samples=20)
        callback.set_model(model)
        callback.describe(kg.data.DataModule(np.zeros((40, 28, 28), np.uint8), name=name, batch_size=8))
        try:
            callback.on_train_begin()
            chosen[name] = callback._yardstick.network.name
        except ValueError as error:
            chosen[name] = str(error)
    assert (chosen["digits"], chosen["fashion-mnist"]) == ("mnist", "fashion_mnist")
    assert "images of (28, 28, 1) called squares" in chosen["squares"]
    assert issubclass(FeatureNetworkError, ValueError)


def test_the_validation_split_comes_before_the_test_split_and_that_before_training(quality):
    test = (np.full((25, 8, 8, 1), 255, np.uint8), None)
    for options, brightest, count in (
        ({"test": test, "val_size": 22}, False, 22),
        ({"test": test}, True, 25),
        ({}, False, 40),
    ):
        callback = SampleQuality(samples=40)
        callback.describe(squares(**options))
        reals, labels, name = callback._reals()
        assert (len(reals), bool((reals == 255).all()), name) == (count, brightest, "squares")
        assert labels is None


def test_a_conditional_gan_is_asked_for_the_classes_of_the_real_images(network, monkeypatch):
    images, asked = tiny_images(40), []
    data = kg.data.DataModule(images, [0] * 38 + [1, 2], batch_size=8, val_size=0, name="squares")
    callback = SampleQuality(network=network, every_n_epochs=1, samples=30)
    callback.describe(data)
    model = tiny_gan()
    monkeypatch.setattr(model, "num_classes", 3, raising=False)
    generate = model.generate
    monkeypatch.setattr(
        model, "generate", lambda count, seed, labels=None: asked.append(labels) or generate(count, seed)
    )
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, {})
    assert len(asked) == 1 and np.bincount(asked[0], minlength=3)[0] > 24


def trained(run_dir, network, epochs, resume=False, **options):
    """Train a tiny GAN with its callbacks in an order that only `Trainer` mends; return the trainer's rows."""
    quality = SampleQuality(network=network, every_n_epochs=2, samples=20)
    callbacks = [Checkpoint(monitor="frechet_distance"), ImageGrid(count=4), quality]
    trainer = kg.Trainer(run_dir, max_epochs=epochs, callbacks=callbacks, seed=0, **options)
    trainer.fit(tiny_gan(), squares(val_size=24), resume=resume)
    return [
        {name: row[name] for name in row if not name.endswith("seconds")} for row in rows_of(run_dir / "metrics.csv")
    ]


def test_under_a_trainer_every_logger_and_checkpoint_sees_the_figures(network, tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = trained(tmp_path / "run", network, 4)
    assert [bool(row["recall"]) for row in rows] == [False, True, False, True]
    scalars = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    points = scalars.Scalars("frechet distance")
    assert [point.value for point in points] == pytest.approx(
        [float(rows[1]["frechet_distance"]), float(rows[3]["frechet_distance"])]
    )
    assert "quality seconds" in scalars.Tags()["scalars"]
    assert "frechet" in capsys.readouterr().out
    best = min((row for row in rows if row["frechet_distance"]), key=lambda row: float(row["frechet_distance"]))
    assert kg.load_run(tmp_path / "run", step="best").global_step == int(best["step"])


def test_a_resumed_run_measures_what_the_whole_one_does(network, tmp_path):
    whole = trained(tmp_path / "whole", network, 4)
    trained(tmp_path / "parts", network, 3)
    assert trained(tmp_path / "parts", network, 4, resume=True) == whole


def test_the_history_that_a_trainer_returns_has_the_figures(network, tmp_path):
    quality = SampleQuality(network=network, every_n_epochs=2, samples=20)
    history = kg.Trainer(tmp_path / "run", max_epochs=4, callbacks=[quality]).fit(tiny_gan(), squares()).history
    assert {name: len(history[name]) for name in LOGS} == dict.fromkeys(LOGS, 2)
    assert len(history["generator_loss"]) == 4


def test_a_rehearsal_passes(network, tmp_path):
    quality = SampleQuality(network=network, every_n_epochs=1, samples=20)
    kg.Trainer(tmp_path / "run", max_epochs=4, callbacks=[quality], fast_dev_run=True).fit(tiny_gan(), squares())


def test_what_it_logs_is_what_a_checkpoint_knows_of():
    assert set(sample_quality.QUALITY_LOGS) == LOGS
