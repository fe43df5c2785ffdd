"""What JAX alone has: a model in parts on several devices, Keras's own distributions, variables of its launchers."""

from pathlib import Path
from typing import Any

import keras
import pytest

import kerasgan as kg
from kerasgan import backends
from kerasgan.backends import jax_processes
from tests.distribution import life
from tests.distribution.conftest import Children
from tests.distribution.logs import difference, rows


def test_a_model_in_parts_trains_as_a_whole_one_and_its_checkpoints_are_whole(
    tmp_path: Path, children: Children
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    child = children.start([{"task": "model_parallel", "run_dir": str(parts), "max_steps": 12}], devices=2)
    life.model_parallel_run(str(whole), max_steps=12)
    assert child.wait() == 0, child.said
    assert child.results()[0]["divided"] == 4  # kernels of two layers in each network
    assert difference(rows(whole), rows(parts)) < 1e-5
    one, two = (kg.checkpoints.CheckpointStore(run / "checkpoints").load() for run in (whole, parts))
    assert {name: array.shape for name, array in one.arrays.items()} == {
        name: array.shape for name, array in two.arrays.items()
    }
    life.model_parallel_run(str(parts), max_epochs=3)  # goes on, on a single device
    assert len(rows(parts)) == 3


def test_what_keras_does_with_its_distributions_stays_possible_and_that_of_tensorflow_is_refused() -> None:
    class MirroredStrategy:
        __module__ = "tensorflow.python.distribute.mirrored_strategy"

    with pytest.raises(ValueError, match=r"a tf\.distribute MirroredStrategy; on JAX choose"):
        backends.distribute(MirroredStrategy())
    own = keras.distribution.DataParallel()
    try:
        keras.distribution.set_distribution(own)
        kg.Trainer("unused")  # leaves it
        assert keras.distribution.distribution() is own
        kg.Trainer("unused", distribution="auto")  # a single device: there is nothing to distribute
        assert keras.distribution.distribution() is None
        kg.Trainer("unused", distribution="data_parallel")
        assert isinstance(keras.distribution.distribution(), keras.distribution.DataParallel)
        assert keras.distribution.distribution() is not own
    finally:
        backends.distribute(None)
    assert keras.distribution.distribution() is None


def test_the_batches_of_a_distribution_are_divided_only_where_that_was_said() -> None:
    try:
        backends.distribute("data_parallel")
        current = backends.distribution()
        assert list(current.get_data_layout((4, 8)).axes) == [None, None]
        backends.divide_batches(True)
        assert list(current.get_data_layout((4, 8)).axes) == ["batch", None]
    finally:
        backends.distribute(None)
    backends.divide_batches(True)  # of none


def test_the_environment_names_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(jax_processes.jax.distributed, "initialize", lambda *values, **options: told.append(values))
    monkeypatch.setattr(jax_processes, "exchange", lambda message: [message])
    monkeypatch.setattr(jax_processes, "may_abandon", lambda: None)
    monkeypatch.setattr(jax_processes.jax.config, "update", lambda name, value: None)
    monkeypatch.setattr(jax_processes.rendezvous, "meet", lambda *values: told.append(values[:3]))
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:7,10.0.0.2:8")
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    monkeypatch.setenv("JAX_PROCESS_ID", "0")
    backends.connect()
    assert told == [("127.0.0.1:7", 2, 0), ("127.0.0.1:7", 2, 0)]
    monkeypatch.delenv("JAX_PROCESS_ID")
    backends.connect()  # JAX's own detection, of Slurm for one
    assert told[2:] == [(None, None, None)]
    slurm = {"JOB_ID": "4099", "STEP_NODELIST": "node[007-009,12],other", "NTASKS": "2", "PROCID": "0", "LOCALID": "0"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    backends.connect()
    assert told[3] == ("node007:61443", 2, 0)
    monkeypatch.setenv("SLURM_STEP_NODELIST", "alone")
    backends.connect()
    assert told[5] == ("alone:61443", 2, 0)
    monkeypatch.setenv("JAX_PROCESS_ID", "two")
    with pytest.raises(ValueError, match="set JAX_NUM_PROCESSES and such to whole numbers"):
        backends.connect()
