"""A run that was stopped anywhere, and goes on, is the run that was never stopped."""

import csv
import json
import shutil
import signal

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_discriminator, tiny_gan, tiny_generator, tiny_images
from kerasgan.trainer import config as config_file
from kerasgan.trainer import resume as resume_file

PLAYERS = ("generator", "discriminator")


def tiny_data(**options):
    return kg.data.DataModule(tiny_images(40), **{"batch_size": 8, "val_size": 8, "seed": 0, **options})


def fresh(rate=1e-3, **options):
    keras.utils.set_random_seed(0)
    gan = tiny_gan()
    gan.compile(optimizer={player: keras.optimizers.Adam(rate, **options) for player in PLAYERS})
    return gan


def train(run_dir, module=None, *, callbacks=(), data=None, resume=False, allow_changes=False, **options):
    """Train with a checkpoint, which the list of callbacks has first on purpose."""
    module = module or fresh()
    checkpoint = kg.callbacks.Checkpoint(**options.pop("checkpoint", {}))
    trainer = kg.Trainer(run_dir, callbacks=[checkpoint, *callbacks], seed=0, **options)
    return module, trainer.fit(module, data or tiny_data(), resume=resume, allow_changes=allow_changes)


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    train(run_dir, max_epochs=1)
    return run_dir


@pytest.fixture
def begun(one_epoch, tmp_path):
    """A run of one epoch lies in `tmp_path / "run"`: the one of all tests that begin with it, copied."""
    shutil.copytree(one_epoch, tmp_path / "run")


def assert_same_state(one, other):
    """Compare all but the running means, which are zero in a fresh model and which `rows` compares."""
    one, other = kg.checkpoints.capture(one), kg.checkpoints.capture(other)
    assert one.keys() == other.keys()
    for name in [name for name in one if not name.startswith("metric/")]:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def rows(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "wall_seconds"} for row in csv.DictReader(file)]


def manifest(run_dir):
    store = kg.checkpoints.CheckpointStore(run_dir / "checkpoints")
    return store.load().metadata


class SignalAtStep(keras.callbacks.Callback):
    """Sends SIGTERM while the given step of this process, counted from one, is taken; that one is finished."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_begin(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)


# The same run.


def test_a_run_stopped_after_every_single_step_is_the_same_run(tmp_path, capsys):
    """Twelve processes' worth of resumes, each of a run that was itself resumed."""
    whole, _ = train(tmp_path / "whole", max_epochs=3)
    for step in range(12):
        steps = kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints").steps()
        assert (steps[-1] if steps else 0) == step
        with pytest.raises(kg.Interrupted):
            train(tmp_path / "run", callbacks=[SignalAtStep(1)], max_epochs=4, resume=step > 0)
    resumed, _ = train(tmp_path / "run", max_epochs=3, resume=True)
    assert_same_state(whole, resumed)
    assert rows(tmp_path / "whole") == rows(tmp_path / "run")
    assert "goes on after  step 11, 2 epochs, 3 batches" in capsys.readouterr().out


def test_averages_lazy_penalties_and_augmentation_go_on_as_they_were(tmp_path):
    def build():
        keras.utils.set_random_seed(0)
        return tiny_gan(penalties="dragan", penalty_every=2, augment="color", ema=0.9, critic_steps=2)

    whole, _ = train(tmp_path / "whole", build(), max_epochs=3)
    with pytest.raises(kg.Interrupted):
        train(tmp_path / "run", build(), callbacks=[SignalAtStep(7)], max_epochs=3)
    resumed, _ = train(tmp_path / "run", build(), max_epochs=3, resume=True)
    assert_same_state(whole, resumed)
    assert rows(tmp_path / "whole") == rows(tmp_path / "run")
    np.testing.assert_array_equal(whole.generate(4, seed=0), resumed.generate(4, seed=0))


NEVER_BETTER = {"min_delta": 1e9, "monitor": "val_generator_loss", "mode": "min"}
REMEMBERING = {
    "EarlyStopping": lambda: keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True, **NEVER_BETTER),
    "ReduceLROnPlateau": lambda: keras.callbacks.ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1, **NEVER_BETTER),
}


@pytest.mark.parametrize("make", REMEMBERING.values(), ids=REMEMBERING.keys())
@pytest.mark.parametrize("stopped_after", [3, 8, 9], ids=["in an epoch", "between epochs", "in a later epoch"])
def test_a_callback_that_waits_goes_on_waiting(tmp_path, make, stopped_after):
    whole, history = train(tmp_path / "whole", callbacks=[make()], max_epochs=6)
    with pytest.raises(kg.Interrupted):
        train(tmp_path / "run", callbacks=[make(), SignalAtStep(stopped_after)], max_epochs=6)
    resumed, _ = train(tmp_path / "run", callbacks=[make()], max_epochs=6, resume=True)
    assert rows(tmp_path / "whole") == rows(tmp_path / "run")
    assert_same_state(whole, resumed)
    if "EarlyStopping" in str(type(make())):
        assert len(history.epoch) == 4  # the control: it did stop early


def test_without_its_memory_early_stopping_would_stop_later(tmp_path, monkeypatch):
    """The control of the test above."""
    monkeypatch.setattr("kerasgan.trainer.parts.restore_callbacks", lambda *_: None)
    make = REMEMBERING["EarlyStopping"]
    train(tmp_path / "run", callbacks=[make()], max_epochs=2)
    train(tmp_path / "run", callbacks=[make()], max_epochs=9, resume=True)
    assert len(rows(tmp_path / "run")) == 6


def test_a_callback_of_the_users_keeps_what_it_says_it_remembers(tmp_path):
    class Counter(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.count, self.sums = 0, [np.zeros(2, "float32")]

        def on_train_begin(self, logs=None):
            self.count, self.sums = 0, [np.zeros(2, "float32")]

        def on_epoch_end(self, epoch, logs=None):
            self.count += 1
            self.sums = [self.sums[0] + epoch]

        def state_dict(self):
            return {"count": self.count, "sums": self.sums}

        def load_state_dict(self, state):
            self.count, self.sums = state["count"], state["sums"]

    train(tmp_path / "run", callbacks=[Counter(), Counter()], max_epochs=3)
    assert manifest(tmp_path / "run")["callbacks"] == {"Counter/0": {"count": 3}, "Counter/1": {"count": 3}}
    one, other = Counter(), Counter()
    train(tmp_path / "run", callbacks=[one, other], max_epochs=4, resume=True)
    assert (one.count, other.count) == (4, 4)
    np.testing.assert_array_equal(one.sums[0], [6.0, 6.0])


def test_a_run_that_a_callback_had_ended_trains_no_further(tmp_path, capsys):
    make = REMEMBERING["EarlyStopping"]
    ended, _ = train(tmp_path / "run", callbacks=[make()], max_epochs=9)
    resumed, history = train(tmp_path / "run", callbacks=[make()], max_epochs=9, resume=True)
    assert history.epoch == []
    assert "has ended this run after epoch 4; to train on, allow changes" in capsys.readouterr().err
    assert_same_state(ended, resumed)
    _, history = train(tmp_path / "run", max_epochs=6, resume=True, allow_changes=True)
    assert history.epoch == [4, 5]


def test_a_run_killed_after_its_last_step_is_finished_by_a_resume(tmp_path):
    """The averages of the weights (`use_ema`) are what is exported, as if nothing had happened."""
    ema = {"use_ema": True, "ema_momentum": 0.5}
    whole, _ = train(tmp_path / "run", fresh(**ema), max_epochs=2)
    left = ("results.json", "generator.keras", "generator.json", "generator.weights.h5")
    weights = keras.saving.load_model(tmp_path / "run" / "generator.keras").get_weights()
    for name in left:
        (tmp_path / "run" / name).unlink()
    resumed, _ = train(tmp_path / "run", fresh(**ema), max_epochs=2, resume=True)
    assert_same_state(whole, resumed)
    again = keras.saving.load_model(tmp_path / "run" / "generator.keras").get_weights()
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert json.loads((tmp_path / "run" / "results.json").read_text())["status"] == "done"


# Not only modules of ours on data of ours.


def stock_model(**options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, **options), loss, metrics=["accuracy"])
    return model


def labelled(**options):
    return kg.data.DataModule(tiny_images(32), np.arange(32) % 2, **{"batch_size": 8, "seed": 0, **options})


@pytest.mark.parametrize("options", [{}, {"use_ema": True, "ema_momentum": 0.5}], ids=["plain", "averaging"])
def test_a_stock_model_resumed_in_mid_epoch_is_the_same_run(tmp_path, options):
    whole, _ = train(tmp_path / "whole", stock_model(**options), data=labelled(), max_epochs=2)
    with pytest.raises(kg.Interrupted):
        stopped = [SignalAtStep(2)]
        train(tmp_path / "run", stock_model(**options), data=labelled(), callbacks=stopped, max_epochs=2)
    # Built in the same process, its layers have other generated names now.
    resumed, _ = train(tmp_path / "run", stock_model(**options), data=labelled(), max_epochs=2, resume=True)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "accuracy" in rows(tmp_path / "run")[0]
    assert rows(tmp_path / "whole") == rows(tmp_path / "run")


def test_arrays_whose_newest_checkpoint_is_damaged_are_resumed_at_an_epoch(tmp_path, capsys):
    data = (tiny_images(128), np.arange(128) % 2)  # four batches of 32, Keras's own number
    with pytest.raises(kg.Interrupted):
        stopped = [SignalAtStep(3)]
        options = {"callbacks": stopped, "checkpoint": {"every_n_steps": 1}, "max_epochs": 2}
        train(tmp_path / "run", stock_model(), data=data, **options)
    newest = tmp_path / "run" / "checkpoints" / "step-000000003" / "state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    _, history = train(tmp_path / "run", stock_model(), data=data, max_epochs=2, resume=True)
    assert history.epoch == [0, 1]
    assert "epoch 1 starts again" in capsys.readouterr().err


def test_a_model_that_cannot_be_described_is_trained_and_not_exported(tmp_path, capsys):
    class Undescribed(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = keras.layers.Dense(units)

        def build(self, input_shape):
            self.dense.build((None, 64))
            self.built = True

        def call(self, images):
            return self.dense(keras.ops.reshape(images, (-1, 64)))

    model = Undescribed(2)
    model.build((None, 8, 8, 1))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    train(tmp_path / "run", model, data=labelled(), max_epochs=1)
    assert "model.keras is not written: Undescribed has no get_config()" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "results.json").read_text())["status"] == "done"


def test_the_best_epoch_outlives_a_kill_between_its_checkpoint_and_its_name(tmp_path, monkeypatch):
    class Scores(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = [3.0, 1.0, 2.0][epoch]

    def go(name, **options):
        checkpoint = {"monitor": "score", "keep_last": 1}
        train(tmp_path / name, callbacks=[Scores()], checkpoint=checkpoint, max_epochs=3, **options)
        return json.loads((tmp_path / name / "checkpoints" / "best.json").read_text())

    best = go("whole")
    assert (best["step"], best["value"]) == (8, 1.0)
    write, calls = kg.callbacks.Checkpoint._write_best, []

    def killed(self):
        calls.append(self)
        if len(calls) == 2:
            raise RuntimeError("killed")
        write(self)

    monkeypatch.setattr(kg.callbacks.Checkpoint, "_write_best", killed)
    with pytest.raises(RuntimeError, match="killed"):
        go("run")
    assert go("run", resume=True) == best
    assert kg.load_run(tmp_path / "run", step="best").global_step == 8


# What stands in the files.


class FailAtEpoch(keras.callbacks.Callback):
    """Raises at the end of an epoch, after the loggers and before the checkpoint."""

    def __init__(self, epoch=1):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise RuntimeError("the power is out")


def test_a_row_that_was_written_before_the_checkpoint_was_is_not_written_twice(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tmp_path / "whole", max_epochs=3, callbacks=[kg.callbacks.ImageGrid(count=4)])
    with pytest.raises(RuntimeError, match="the power is out"):
        callbacks = [kg.callbacks.ImageGrid(count=4), FailAtEpoch()]
        train(tmp_path / "run", max_epochs=3, callbacks=callbacks, checkpoint={"every_n_steps": 3})
    assert [row["epoch"] for row in rows(tmp_path / "run")] == ["1", "2"]
    assert kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints").latest() == 6
    train(tmp_path / "run", max_epochs=3, callbacks=[kg.callbacks.ImageGrid(count=4)], resume=True)
    assert rows(tmp_path / "whole") == rows(tmp_path / "run")
    for one in sorted((tmp_path / "whole" / "samples").iterdir()):
        assert one.read_bytes() == (tmp_path / "run" / "samples" / one.name).read_bytes()
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("generator loss")] == [4, 8, 12]


def test_a_manifest_says_what_computed_the_state_and_of_which_run_it_is(begun, tmp_path):
    says = manifest(tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert says["config"] == config
    assert says["data_fingerprint"] == config["data"]["fingerprint"]
    assert len(says["config_sha256"]) == 64
    assert says["backend"] == keras.backend.backend()
    assert says["versions"]["keras"] == keras.__version__
    assert says["threads"] >= 1
    assert 0 < says["wall_seconds"] < 600
    assert (says["epoch"], says["batch"], says["stopped"]) == (1, 0, False)


def test_the_seconds_of_a_killed_run_are_counted(begun, tmp_path):
    (tmp_path / "run" / "results.json").write_text('{"status": "running", "wall_seconds": 0.1}')  # as a kill leaves it
    before = manifest(tmp_path / "run")["wall_seconds"]
    train(tmp_path / "run", max_epochs=2, resume=True)
    assert json.loads((tmp_path / "run" / "results.json").read_text())["wall_seconds"] > before


def test_other_threads_are_told_of(begun, tmp_path, monkeypatch, capsys):
    train(tmp_path / "run", max_epochs=2, resume=True)
    assert "bit for bit" not in capsys.readouterr().err
    here = resume_file.environment()
    monkeypatch.setattr(resume_file, "environment", lambda: {**here, "threads": here["threads"] + 1})
    train(tmp_path / "run", max_epochs=3, resume=True)
    told = capsys.readouterr().err
    assert f"saved with threads {here['threads']}, now {here['threads'] + 1}: the run goes on, but not bit" in told


# What is refused, and what may be changed.


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(tmp_path, capsys):
    whole, _ = train(tmp_path / "run", max_epochs=2)
    newest = tmp_path / "run" / "checkpoints" / "step-000000008" / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    resumed, history = train(tmp_path / "run", max_epochs=2, resume=True)
    assert history.epoch == [1]
    assert f"warning: passing over {newest}: its sha256 is not" in capsys.readouterr().err
    assert_same_state(whole, resumed)


def test_when_all_checkpoints_are_damaged_nothing_is_started_over(tmp_path):
    train(tmp_path / "run", max_epochs=2)
    for state in (tmp_path / "run" / "checkpoints").glob("*/state.safetensors"):
        state.write_bytes(state.read_bytes()[:-1])
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    with pytest.raises(kg.checkpoints.CheckpointError, match="no checkpoint is usable"):
        train(tmp_path / "run", max_epochs=3, resume=True)
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before


def test_a_state_of_another_step_than_its_directory_says_is_refused(tmp_path):
    gan, _ = train(tmp_path / "run", max_epochs=1)
    store = kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints")
    store.save(7, kg.checkpoints.capture(gan), store.load().metadata)
    with pytest.raises(kg.checkpoints.StateError, match=r"step-000000007: its arrays are of step 4; delete it"):
        train(tmp_path / "run", max_epochs=3, resume=True)


def test_a_rate_is_changed_only_where_that_is_allowed_and_then_really(begun, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"learning_rate was 0\.001 and is 0\.0005.*--allow-changes"):
        train(tmp_path / "run", fresh(5e-4), max_epochs=2, resume=True)
    gan, _ = train(tmp_path / "run", fresh(5e-4), max_epochs=2, resume=True, allow_changes=True)
    assert "going on with other settings: discriminator learning_rate was 0.001" in capsys.readouterr().err
    for player in PLAYERS:
        assert float(gan.optimizer.by_player[player].learning_rate) == pytest.approx(5e-4)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert [change["step"] for change in config["changes"]] == [4]
    # From now on the new settings are those of the run, and the old ones the changed ones.
    train(tmp_path / "run", fresh(5e-4), max_epochs=3, resume=True)
    with pytest.raises(ValueError, match=r"learning_rate was 0\.0005 and is 0\.001"):
        train(tmp_path / "run", fresh(), max_epochs=4, resume=True)


def changes(run_dir):
    config = json.loads((run_dir / "config.json").read_text())
    return [change["step"] for change in config.get("changes", [])]


def test_every_change_stays_noted_until_it_is_undone_by_a_kill(begun, tmp_path):
    for epochs, rate in ((2, 5e-4), (3, 5e-4), (4, 2e-4)):
        train(tmp_path / "run", fresh(rate), max_epochs=epochs, resume=True, allow_changes=True)
    assert changes(tmp_path / "run") == [4, 12]
    store = kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints")
    assert [change["step"] for change in store.load().metadata["config"]["changes"]] == [4, 12]
    with pytest.raises(RuntimeError, match="the power is out"):
        now = {"callbacks": [FailAtEpoch(4)], "resume": True, "allow_changes": True, "checkpoint": {"keep_last": 9}}
        train(tmp_path / "run", fresh(1e-4), max_epochs=6, **now)
    assert changes(tmp_path / "run") == [4, 12, 16]
    train(tmp_path / "run", fresh(2e-4), max_epochs=5, resume=True)
    assert changes(tmp_path / "run") == [4, 12]


def calls(run_dir):
    return json.loads((run_dir / "config.json").read_text()).get("resumes", [])


def test_what_computed_a_run_is_noted_where_it_changes_and_the_beginning_stays(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    train(run, max_epochs=1)
    began = json.loads((run / "config.json").read_text())
    train(run, max_epochs=1, resume=True)
    assert calls(run) == []  # the control: nothing was otherwise
    train(run, max_epochs=2, resume=True)
    train(run, max_epochs=2, resume=True)
    here = config_file.environment()
    there = {**here, "backend": "another", "threads": here["threads"] + 1}
    monkeypatch.setattr(config_file, "environment", lambda: there)
    monkeypatch.setattr(config_file.sys, "argv", ["train_gan.py", "--resume"])
    train(run, max_epochs=3, resume=True)
    monkeypatch.setattr(config_file, "environment", lambda: here)
    train(run, max_steps=16, resume=True)
    assert [(call["step"], call["backend"], call["threads"], call["max_epochs"], call["max_steps"])
            for call in calls(run)] == [
        (4, here["backend"], here["threads"], 2, None),
        (8, "another", here["threads"] + 1, 3, None),
        (12, here["backend"], here["threads"], None, 16),
    ]  # fmt: skip
    assert calls(run)[1]["command"] == ["train_gan.py", "--resume"]
    assert calls(run)[1].keys() == {
        "step", "created", "command", "backend", "versions", "devices", "distribution", "threads", "max_epochs",
        "max_steps",
    }  # fmt: skip
    now = json.loads((run / "config.json").read_text())
    # "module" has names in it that Keras counts up with each one it builds.
    assert {name: now[name] for name in began if name != "module"} == {
        name: value for name, value in began.items() if name != "module"
    }
    assert manifest(run)["config"] == now
    assert "goes on after  step 12" in capsys.readouterr().out


def test_a_call_that_changed_a_setting_is_noted_with_its_command(tmp_path, monkeypatch):
    train(tmp_path / "run", max_epochs=2)
    began = json.loads((tmp_path / "run" / "config.json").read_text())
    monkeypatch.setattr(config_file.sys, "argv", ["train_gan.py", "--allow-changes"])
    train(tmp_path / "run", fresh(5e-4), max_epochs=2, resume=True, allow_changes=True)
    now = json.loads((tmp_path / "run" / "config.json").read_text())
    assert [(call["step"], call["command"]) for call in now["resumes"]] == [(8, ["train_gan.py", "--allow-changes"])]
    assert now["command"] == began["command"]
    assert changes(tmp_path / "run") == [8]


def test_what_people_type_is_named_before_layers_and_other_data_in_words(begun, tmp_path):
    other = kg.GAN(tiny_generator(), tiny_discriminator(dropout=0.1), loss="hinge", seed=0)
    other.compile(optimizer={player: keras.optimizers.Adam(0.1, beta_1=0.5) for player in PLAYERS})
    data = kg.data.DataModule(tiny_images(40, seed=3), batch_size=4, val_size=8, seed=1)
    with pytest.raises(ValueError, match="cannot be resumed with other settings: ") as caught:
        train(tmp_path / "run", other, data=data, max_epochs=2, resume=True)
    said = str(caught.value).partition("settings: ")[2].partition(". Use")[0].split("; ")
    assert said == [
        "discriminator learning_rate was 0.001 and is 0.1",
        "generator learning_rate was 0.001 and is 0.1",
        "batch_size was 8 and is 4",
        "loss was non_saturating and is hinge",
        "data seed was 0 and is 1",
        "data is not the same (other images, labels or splits)",
        "and 3 more",  # beta_1 of both, and the rate of a dropout layer
    ]


def test_data_of_another_name_is_told_by_its_names(begun, tmp_path):
    data = kg.data.DataModule(tiny_images(40, seed=3), batch_size=8, val_size=8, seed=0, name="others")
    with pytest.raises(ValueError, match=r"settings: data was images and is others\. Use"):
        train(tmp_path / "run", data=data, max_epochs=2, resume=True)


@pytest.mark.parametrize("name", ["changes", "resumes"])
@pytest.mark.parametrize("nonsense", [5, "abc", [1]])
def test_a_configuration_whose_lists_are_none_is_refused_in_one_line(begun, tmp_path, name, nonsense):
    store = kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints")
    saved = store.load()
    store.save(saved.step, saved.arrays, {**saved.metadata, "config": {**saved.metadata["config"], name: nonsense}})
    with pytest.raises(kg.RunDirectoryError, match="its configuration is not that of a run"):
        train(tmp_path / "run", max_epochs=2, resume=True)


def test_settings_count_also_before_the_first_checkpoint(tmp_path):
    with pytest.raises(kg.Interrupted):
        train(tmp_path / "run", callbacks=[SignalAtStep(1)], max_epochs=2)
    store = tmp_path / "run" / "checkpoints"
    for step in store.glob("step-*"):
        step.rename(tmp_path / step.name)
    with pytest.raises(ValueError, match="cannot be resumed with other settings: discriminator learning_rate"):
        train(tmp_path / "run", fresh(0.1), max_epochs=2, resume=True)
    gan, _ = train(tmp_path / "run", fresh(0.1), max_epochs=1, resume=True, allow_changes=True)
    assert gan.global_step == 4
    assert changes(tmp_path / "run") == [0]


def test_a_schedule_cannot_take_the_place_of_a_rate(begun, tmp_path):
    other = fresh(keras.optimizers.schedules.CosineDecay(1e-3, 9))
    with pytest.raises(ValueError, match="a schedule and a constant learning rate of the generator cannot take each"):
        train(tmp_path / "run", other, max_epochs=2, resume=True, allow_changes=True)


def test_smaller_batches_are_trained_up_to_max_steps(tmp_path):
    train(tmp_path / "run", max_steps=8)
    options = {"data": tiny_data(batch_size=4), "resume": True, "allow_changes": True}
    gan, _ = train(tmp_path / "run", max_steps=16, **options)
    assert gan.global_step == 16


@pytest.mark.parametrize(
    ("name", "value"),
    [("wall_seconds", None), ("wall_seconds", float("nan")), ("versions", None), ("reshuffles", "x"), ("best", [1])],
)
def test_a_manifest_that_says_nonsense_is_refused_by_name(begun, tmp_path, name, value):
    store = kg.checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints")
    checkpoint = store.load()
    store.save(checkpoint.step, checkpoint.arrays, checkpoint.metadata | {name: value})
    with pytest.raises(kg.checkpoints.StateError, match=f"{name!r} is .* in its manifest, which no run says; delete"):
        train(tmp_path / "run", max_epochs=2, resume=True)


def test_a_rate_that_a_callback_had_lowered_stays_low(tmp_path):
    make = REMEMBERING["ReduceLROnPlateau"]
    lowered, _ = train(tmp_path / "run", callbacks=[make()], max_epochs=4)
    rate = float(lowered.optimizer.by_player["generator"].learning_rate)
    assert rate < 1e-3
    resumed, _ = train(tmp_path / "run", callbacks=[make()], max_epochs=4, resume=True)
    assert float(resumed.optimizer.by_player["generator"].learning_rate) == rate


def test_with_other_batches_an_epoch_begins_again(tmp_path):
    with pytest.raises(kg.Interrupted):
        train(tmp_path / "run", callbacks=[SignalAtStep(3)], max_epochs=1)
    gan, _ = train(tmp_path / "run", data=tiny_data(batch_size=4), max_epochs=1, resume=True, allow_changes=True)
    assert gan.global_step == 3 + 8


@pytest.mark.parametrize("limit", [2, 0.5])
def test_another_length_of_an_epoch_is_another_setting(begun, tmp_path, limit):
    with pytest.raises(ValueError, match=f"limit_train_batches was None and is {limit}"):
        train(tmp_path / "run", max_epochs=2, limit_train_batches=limit, resume=True)


def test_keras_callbacks_still_have_what_is_remembered_of_them():
    made = {
        keras.callbacks.EarlyStopping: keras.callbacks.EarlyStopping(),
        keras.callbacks.ReduceLROnPlateau: keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.ModelCheckpoint: keras.callbacks.ModelCheckpoint("model.keras"),
    }
    from kerasgan.callbacks.state import REMEMBERED

    assert made.keys() == REMEMBERED.keys()
    for kind, names in REMEMBERED.items():
        made[kind].on_train_begin()
        for name in names:
            assert hasattr(made[kind], name), (kind, name)
