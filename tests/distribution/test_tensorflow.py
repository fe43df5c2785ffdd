"""What TensorFlow alone needs: a step of each kind on two devices that share batches unevenly, and strategies."""

from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from tensorflow.python.data.ops import multi_device_iterator_ops

import kerasgan as kg
from kerasgan import backends
from tests.distribution import life
from tests.distribution.conftest import SECONDS, Children
from tests.distribution.logs import difference

SMALL = [name for name in life.SMALL if name != "dropout"]


def epochs(history: dict[str, list[float]]) -> list[dict[str, float]]:
    """A history, each of its figures in a row of its own."""
    return [
        {f"{name}-{place}": value} for name, values in sorted(history.items()) for place, value in enumerate(values)
    ]


@pytest.fixture(scope="module")
def small(children: Children) -> list[dict[str, Any]]:
    """What the small modules have logged on two devices, the last of them twice."""
    tasks = [{"task": "small", "name": name} for name in (*life.SMALL, "dropout")]
    child = children.start(tasks, devices=2)
    assert child.wait(2 * SECONDS) == 0, child.said
    return [told["history"] for told in child.results()]


def test_the_same_layout_gives_the_same_bits(small: list[dict[str, Any]]) -> None:
    assert small[-1] == small[-2]  # the last module twice


@pytest.mark.parametrize("name", SMALL)
def test_two_devices_that_share_batches_of_15_have_the_figures_of_one(small: list[dict[str, Any]], name: str) -> None:
    of_two = small[list(life.SMALL).index(name)]
    assert difference(epochs(life.small_run(name)["history"]), epochs(of_two)) < 2e-5


def test_devices_drop_other_units_than_one(small: list[dict[str, Any]]) -> None:
    assert 1e-4 < difference(epochs(life.small_run("dropout")["history"]), epochs(small[-1])) < 0.5


def test_what_is_no_strategy_is_refused_with_the_choices() -> None:
    for wanted, said in (
        (keras.distribution.DataParallel(devices=["cpu:0"]), "a keras.distribution DataParallel, of which Keras makes"),
        ("both", "'both'"),
        (2, "2"),
    ):
        with pytest.raises(ValueError, match="on TensorFlow choose") as error:
            backends.distribute(wanted)
        assert f"distribution is {said}" in str(error.value)
    with pytest.raises(ValueError, match="CentralStorageStrategy, whose devices do not hold all variables"):
        backends.distribute(tf.distribute.experimental.CentralStorageStrategy())
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope(), pytest.raises(ValueError, match="inside of `with strategy"):
        backends.distribute(strategy)


def test_a_strategy_of_ones_own_is_set_and_taken_away_and_a_module_from_before_is_refused(tmp_path: Path) -> None:
    gan = life.small_gan()
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    try:
        trainer = kg.Trainer(tmp_path / "run", distribution=strategy)
        assert backends.distribution() is strategy
        with pytest.raises(ValueError, match="was built before the distribution was set"):
            trainer.fit(gan, kg.data.DataModule(life.images(32), batch_size=16))
        trainer.fit(life.small_gan(), kg.data.DataModule(life.images(32), batch_size=16))
    finally:
        backends.distribute(None)
    assert backends.distribution() is None and backends.replicas() == 1


def test_what_hands_devices_their_batches_is_not_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tuning made the next epoch wait for up to a minute: a flaw of TensorFlow's, mended at a private place."""

    def tuned(strategy: tf.distribute.Strategy) -> list[bool | None]:
        of_all_devices = iter(strategy.experimental_distribute_dataset(tf.data.Dataset.range(4)))
        (worker,) = of_all_devices._iterators
        datasets = [worker._dataset, *(device._dataset for device in worker._iterator._device_iterators)]
        return [dataset.options().autotune.enabled for dataset in datasets]

    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    try:
        backends.distribute(strategy)
    finally:
        backends.distribute(None)
    assert tuned(strategy) == [False, False]
    stock = multi_device_iterator_ops._create_device_dataset.__wrapped__
    monkeypatch.setattr(multi_device_iterator_ops, "_create_device_dataset", stock)
    assert tuned(strategy) == [False, None]  # which is True to TensorFlow
    assert tuned(tf.distribute.OneDeviceStrategy("/cpu:0")) == [None, None]


def test_without_other_processes_there_is_nothing_to_connect_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match="neither TF_CONFIG nor Slurm's variables; give coordinator"):
        backends.connect()
    assert backends.exchange(b"alone") == [b"alone"]
