import keras
import pytest

import kerasgan as kg
from kerasgan import backends
from kerasgan.testing import tiny_gan, tiny_images


def train(run_dir, **options):
    data = kg.data.DataModule(tiny_images(64), batch_size=8, seed=0)
    kg.Trainer(run_dir, steps_per_execution=2, **{"max_epochs": 2, **options}).fit(tiny_gan(), data)


def traces(run_dir):
    return list((run_dir / "tensorboard" / "plugins" / "profile").glob("*/*.xplane.pb"))


def test_a_trace_lies_where_tensorboard_looks_for_it(tmp_path):
    train(tmp_path, profile=3)
    (trace,) = traces(tmp_path)
    assert trace.stat().st_size > 1000


def test_no_trace_is_made_unless_it_is_asked_for(tmp_path):
    train(tmp_path)
    assert not traces(tmp_path)


@pytest.fixture
def calls(monkeypatch):
    """What is called of the profiler, and before which batches."""
    seen = []
    monkeypatch.setattr(backends, "start_trace", lambda directory: seen.append("start"))
    monkeypatch.setattr(backends, "stop_trace", lambda: seen.append("stop"))
    return seen


def noting(calls):
    return keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: calls.append(batch))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(1, [0, 2, "start", 4, "stop", 6]), (3, [0, 2, "start", 4, 6, "stop"]), (99, [0, 2, "start", 4, 6, "stop"])],
)
def test_it_traces_whole_executions_after_the_first_and_ends_with_the_epoch(tmp_path, calls, steps, expected):
    train(tmp_path, profile=steps, max_epochs=1, callbacks=[noting(calls)])
    assert calls == expected


def test_it_traces_once(tmp_path, calls):
    train(tmp_path, profile=1, max_epochs=3)
    assert calls == ["start", "stop"]


def test_a_run_that_fails_meanwhile_ends_the_trace(tmp_path, calls):
    def fail(batch, logs):
        if batch == 3:
            raise RuntimeError("meanwhile")

    with pytest.raises(RuntimeError, match="meanwhile"):
        train(tmp_path, profile=99, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=fail)])
    assert calls == ["start", "stop"]


def test_a_run_of_one_execution_says_that_there_was_nothing_to_trace(tmp_path, calls, capsys):
    train(tmp_path, profile=5, max_steps=2)
    assert "nothing was profiled" in capsys.readouterr().err
