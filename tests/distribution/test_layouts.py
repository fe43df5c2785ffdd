"""One step on one device, on two, and in two processes: the same numbers, and checkpoints that fit all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerasgan as kg
from tests.distribution import life
from tests.distribution.conftest import SECONDS, Children, backend
from tests.distribution.logs import difference, rows

ON_JAX = backend == "jax"
STRATEGIES = ["DataParallel"] * 2 if ON_JAX else ["MirroredStrategy", "CollectiveAllReduceStrategy"]
# Images to validate on. Two devices cannot share the last batch of an odd number, and on JAX divide an even one.
CLASSIFIERS = {"whole": 33, "divided": 32} if ON_JAX else {"whole": 33}
STEPS = [10, 20, 30, 40]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, children: Children) -> Path:
    """The same trainings in `one`, `devices` and `processes`, and one that went through all three, `chain`."""
    home = tmp_path_factory.mktemp("runs")

    def tasks(layout: str) -> list[dict[str, Any]]:
        judged = [
            {"task": "classifier", "run_dir": str(home / f"{layout}-{name}"), "validation": count}
            for name, count in CLASSIFIERS.items()
        ]
        return [{"task": "gan", "run_dir": str(home / layout)}, *judged]

    def again(layout: str) -> list[dict[str, Any]]:
        if not ON_JAX:
            return []
        tiny = {"task": "gan", "network": "tiny", "max_steps": 15}
        stopped = {**tiny, "run_dir": str(home / f"{layout}-stopped")}
        unstopped = {**tiny, "run_dir": str(home / f"{layout}-unstopped")}
        return [unstopped, {**stopped, "max_steps": 8}, {**stopped, "resume": True}]

    def chain(steps: int) -> dict[str, Any]:
        return {"task": "gan", "run_dir": str(home / "chain"), "resume": True, "max_steps": steps}

    life.main(tasks("one"))
    life.main([{**chain(STEPS[0]), "resume": False}])
    devices = [*tasks("devices"), *again("devices"), chain(STEPS[1])]
    child = children.start([{**task, "distribution": "auto"} for task in devices], devices=2)
    assert child.wait(2 * SECONDS) == 0, child.said
    alone = tasks("processes")
    # What the second process would write into a directory of its own name, it would write into the run's.
    elsewhere = [{**task, "run_dir": task["run_dir"].replace("processes", "elsewhere")} for task in alone]
    together = [*again("processes"), chain(STEPS[2])]
    for child in children.pair([*alone, *together], [*elsewhere, *together]):
        assert child.wait() == 0, child.said
    life.main([chain(STEPS[3]), {"task": "gan", "run_dir": str(home / "unbroken"), "max_steps": STEPS[3]}])
    return home


@pytest.mark.parametrize("layout", ["devices", "processes"])
def test_fifty_steps_of_the_dcgan_have_the_losses_of_one_device(runs: Path, layout: str) -> None:
    assert len(rows(runs / "one")) == 9  # epochs of 6 steps
    assert difference(rows(runs / "one"), rows(runs / layout)) < 1e-5


@pytest.mark.parametrize("layout", ["devices", "processes"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_has_the_figures_of_one_device_in_training_and_validation(
    runs: Path, layout: str, name: str
) -> None:
    assert difference(rows(runs / f"one-{name}"), rows(runs / f"{layout}-{name}")) < 1e-5


def test_a_control_other_batches_give_other_losses(runs: Path, tmp_path: Path) -> None:
    life.gan_run(str(tmp_path / "control"), batch_size=32, max_steps=6)
    assert abs(rows(tmp_path / "control")[0]["generator_loss"] - rows(runs / "one")[0]["generator_loss"]) > 1e-3


def test_the_layouts_are_those_they_are_taken_for(runs: Path) -> None:
    said = {name: (runs / name / "config.json").read_text() for name in ("one", "devices", "processes")}
    assert '"distribution": null,\n  "threads"' in said["one"]
    assert f'"distribution": "{STRATEGIES[0]}: 2 parts",' in said["devices"]
    assert f'"distribution": "{STRATEGIES[1]}: 2 parts, 2 processes",' in said["processes"]


def test_a_run_crosses_from_one_device_to_two_to_two_processes_to_one(runs: Path) -> None:
    assert difference(rows(runs / "unbroken"), rows(runs / "chain")) < 1e-5


@pytest.mark.skipif(
    not ON_JAX, reason="tracing six more modules takes TensorFlow a minute; test_tensorflow.py has bits"
)
@pytest.mark.parametrize("layout", ["devices", "processes"])
def test_a_run_that_was_stopped_and_resumed_on_the_same_devices_has_the_same_bits(runs: Path, layout: str) -> None:
    whole, parts = (
        kg.checkpoints.CheckpointStore(runs / f"{layout}-{name}" / "checkpoints").load(15).arrays
        for name in ("unstopped", "stopped")
    )
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not np.array_equal(whole[name], parts[name])] == []


def test_both_processes_return_the_same_and_one_writes(runs: Path, children: Children) -> None:
    first, second = children.all[1:3]
    told, other = first.results(), second.results()
    assert [one["history"] for one in told] == [two["history"] for two in other]
    assert told[0]["image"] == other[0]["image"]
    assert (told[0]["process"], other[0]["process"]) == (0, 1)
    assert "epoch 1/" in first.out and "epoch 1/" not in second.out
    assert second.err == ""
    assert not list(runs.glob("elsewhere*"))
    assert sorted(path.name for path in (runs / "processes").iterdir()) == sorted(
        path.name for path in (runs / "one").iterdir()
    )


def test_an_exported_network_is_that_of_one_device(runs: Path) -> None:
    latents = np.random.default_rng(0).standard_normal((2, 8)).astype("float32")
    images = [
        kg.load_network(runs / layout / "generator.keras", trust=True).predict(latents, verbose=0)
        for layout in ("one", "devices", "processes")
    ]
    assert np.abs(images[0] - images[1]).max() < 1e-3
    assert np.abs(images[1] - images[2]).max() < 1e-3


def test_a_resume_on_other_devices_says_so(children: Children, runs: Path) -> None:
    devices, processes = [child.err for child in children.all if "was saved with" in child.err]
    assert f"distribution None, now {STRATEGIES[0]}: 2 parts: the run goes on" in devices
    assert (
        f"distribution {STRATEGIES[0]}: 2 parts, now {STRATEGIES[1]}: 2 parts, 2 processes: the run goes on"
        in processes
    )
