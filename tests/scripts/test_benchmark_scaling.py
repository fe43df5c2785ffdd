"""The benchmark on several devices and as several processes: how it counts, and that all of it runs."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

from kerasgan.data.threads import usable_cores

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import benchmark
from peers import kerasgan_devices, reckoning, scaling
from peers.processes import started
from peers.scaling import Layout
from peers.workloads import WORKLOADS

BACKEND = os.environ["KERAS_BACKEND"]
TINY = WORKLOADS["tiny"].changed(steps=2, batch_size=8)


def answers(seconds):
    """Return what contestants would say after rounds of so many seconds."""
    return {name: [{"seconds": spent} for spent in rounds] for name, rounds in seconds.items()}


@pytest.mark.skipif(usable_cores() < 2, reason="the benchmark gives each of two processes cores of its own")
def test_two_devices_and_two_processes_train_the_same_weights_in_step(tmp_path):
    layouts = [Layout(BACKEND, devices=2), Layout(BACKEND, processes=2)]
    with started([layout.contestant() for layout in layouts], TINY, {}, tmp_path) as workers:
        finished, failed = benchmark.race(workers, warmup=1, rounds=1, debug=True)
        assert failed == {}
        for worker in finished:
            config = json.loads((worker.folder / "run" / "config.json").read_text())
            assert config["trainer"]["distribution"] == "data_parallel"
    assert {worker.weights for worker in finished} == {1184 + 1057}
    found = scaling.figures(TINY, {one.contestant.name: one.answers for one in finished}, layouts, finished[0].weights)
    assert list(found) == [f"{BACKEND}-2-devices", f"{BACKEND}-2-processes"]
    assert all(figures["images_per_second"] > 0 and figures["speed_up"] is None for figures in found.values())


@pytest.mark.parametrize(
    ("accelerators", "cores", "names"),
    [
        (0, 1, ["1-device", "2-devices"]),
        (0, 2, ["1-device", "2-devices", "1-process", "2-processes"]),
        (0, 8, ["1-device", "2-devices", "4-devices", "1-process", "2-processes"]),
        (1, 16, ["1-device"]),
        (3, 16, ["1-device", "2-devices", "3-devices", "2-processes"]),
        (8, 16, ["1-device", "2-devices", "4-devices", "8-devices", "2-processes"]),
    ],
)
def test_the_layouts_are_those_that_a_machine_can_show_something_of(accelerators, cores, names):
    found = scaling.layouts("jax", accelerators, cores)
    assert [layout.name for layout in found] == [f"jax-{name}" for name in names]
    assert {layout.base for layout in found} <= {layout.name for layout in found}


def test_devices_of_a_processor_are_no_more_hardware_and_accelerators_are():
    on_cpu = {layout.name: layout.hardware for layout in scaling.layouts("jax", 0, 2)}
    assert on_cpu == {"jax-1-device": 1, "jax-2-devices": 1, "jax-1-process": 1, "jax-2-processes": 2}
    on_gpus = {layout.name: (layout.hardware, layout.base) for layout in scaling.layouts("jax", 2, 2)}
    assert on_gpus["jax-2-devices"] == on_gpus["jax-2-processes"] == (2, "jax-1-device")


def test_speed_ups_are_medians_over_the_rounds():
    layouts = scaling.layouts("jax", 0, 2)
    # The machine was half as fast in the second round.
    seconds = {"jax-1-device": [1.0, 2.0, 1.0], "jax-2-devices": [2.0, 4.0, 9.0]}
    seconds |= {"jax-1-process": [3.0, 6.0, 3.0], "jax-2-processes": [2.0, 4.0, 1.0]}
    found = scaling.figures(TINY.changed(steps=4), answers(seconds), layouts, weights=1000)
    assert found["jax-1-device"]["speed_up"] == found["jax-1-process"]["efficiency"] == 1.0
    assert (found["jax-2-devices"]["speed_up"], found["jax-2-devices"]["efficiency"]) == (0.5, 0.5)
    assert (found["jax-2-processes"]["speed_up"], found["jax-2-processes"]["efficiency"]) == (1.5, 0.75)
    assert found["jax-2-processes"]["ms_per_step"] == {"median": 500.0, "min": 250.0, "max": 1000.0}
    assert found["jax-2-processes"]["images_per_second"] == 16
    assert found["jax-2-devices"]["gradient_bytes"] == 4000


def test_with_a_batch_for_each_device_twice_the_images_in_the_same_time_are_twice_the_speed():
    layouts = scaling.layouts("jax", 2, 2, per_device=True)
    seconds = {"jax-1-device": [1.0], "jax-2-devices": [1.0], "jax-2-processes": [2.0]}
    found = scaling.figures(TINY.changed(steps=1), answers(seconds), layouts, weights=1)
    figures = found["jax-2-devices"]
    assert (figures["batch_size"], figures["images_per_second"]) == (16, 16)
    assert (figures["speed_up"], figures["efficiency"]) == (2.0, 1.0)
    assert found["jax-2-processes"]["efficiency"] == 0.5


def test_who_is_held_against_one_that_failed_has_no_speed_up():
    found = scaling.figures(TINY, answers({"jax-2-devices": [1.0]}), scaling.layouts("jax", 0, 2), weights=1)
    assert found["jax-2-devices"]["speed_up"] is None
    assert "-      -" in list(scaling.table(found))[1]


@pytest.mark.parametrize("accelerators", [0, 8])
def test_the_table_fits_into_80_columns(accelerators):
    layouts = scaling.layouts("tensorflow", accelerators, 8, per_device=True)
    seconds = {layout.name: [0.9, 4000.0] for layout in layouts}
    lines = list(scaling.table(scaling.figures(WORKLOADS["dcgan"], answers(seconds), layouts, 2_518_337)))
    assert max(map(len, lines)) <= 80
    assert any("10.1 MB" in line for line in lines)
    assert any("share its cores" in line for line in lines) == (accelerators == 0)


def test_processes_share_neither_cores_nor_accelerators(monkeypatch):
    cores = {}
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {4, 5, 6, 7, 9}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, chosen: cores.update({number: chosen}), raising=False)
    for number in (0, 1):
        kerasgan_devices.take_hardware(Layout("jax", processes=2), number)
    assert cores == {0: [4, 5], 1: [6, 7]}
    seen = {}
    for number in (0, 1):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,7")
        kerasgan_devices.take_hardware(Layout("jax", processes=2, accelerators=True), number)
        seen[number] = os.environ["CUDA_VISIBLE_DEVICES"]
    assert seen == {0: "2", 1: "5"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    kerasgan_devices.take_hardware(Layout("jax", devices=4, accelerators=True), 0)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"


def test_the_script_compares_layouts_in_a_table_and_in_a_file(monkeypatch, capsys, tmp_path):
    class Process:
        def __init__(self, contestant):
            self.contestant, self.weights, self.folder, self.answers = contestant, 0, tmp_path, []

        def ready(self):
            self.weights = 2241
            return self.weights

        def round(self):
            slow = 2.0 if self.contestant.name.endswith("s") else 1.0
            self.answers.append({"seconds": slow})

    class AllAtOnce:
        def __init__(self, contestants, *others):
            self.workers = [Process(contestant) for contestant in contestants]

        def __enter__(self):
            return self.workers

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(benchmark, "started", AllAtOnce)
    monkeypatch.setattr(scaling, "accelerators", lambda backend: 2)
    asked = {"workload": "tiny", "only": [f"kerasgan-{BACKEND}"], "scaling": True, "per_device": False, "rounds": 2}
    others = dict.fromkeys(["batch_size", "steps", "warmup", "profile", "steps_per_execution"])
    file = tmp_path / "figures.json"
    more = {"precision": "float32", "debug": False, "json": file}
    benchmark.main(SimpleNamespace(**asked, **others, **more))
    said = capsys.readouterr().out
    assert f"{BACKEND}-2-processes" in said and "gradients: 0.009 MB a step" in said
    found = json.loads(file.read_text())["contestants"]
    assert found[f"{BACKEND}-2-devices"]["efficiency"] == 0.25


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scaling", "--workload", "input"], "--scaling is of training, and not of input"),
        (["--scaling", "--workload", "memory"], "--scaling is of training, and not of memory"),
        (["--scaling", "--profile", "traces"], "--scaling takes neither --profile nor --precision"),
        (
            ["--scaling", "--only", f"keras-{BACKEND}"],
            f"keras-{BACKEND} takes no part in --scaling; choose among kerasgan-",
        ),
        (["--per-device"], "--per-device is of --scaling; give both"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_option_is_one_line(script, arguments, complaint):
    done = script("benchmark.py", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_multiplications_are_counted_layer_by_layer():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 5, strides=2, padding="same")(images)  # (batch, 4, 4, 4)
    x = keras.layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x)  # (batch, 8, 8, 2)
    network = keras.Model(images, keras.layers.Dense(10)(keras.layers.Flatten()(x)))
    # Each pixel of a convolution's output, each pixel of a transposed one's input, meets the whole kernel.
    by_hand = 4 * 4 * 5 * 5 * 3 * 4 + 4 * 4 * 3 * 3 * 2 * 4 + 8 * 8 * 2 * 10
    assert reckoning.multiply_adds(network) == by_hand


def test_a_step_takes_the_generator_three_times_and_the_discriminator_seven_and_five_more_for_a_penalty():
    generator, discriminator = (
        keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)]) for inputs, outputs in ((3, 5), (5, 1))
    )
    assert reckoning.cost(generator, discriminator) == reckoning.Cost(3 * 5 + 5 + 5 + 1, 3 * 15 + 7 * 5)
    assert reckoning.cost(generator, discriminator, 2).multiply_adds == 3 * 15 + 17 * 5


def test_what_a_ring_takes_and_how_many_devices_it_is_worth():
    assert reckoning.ring_seconds(1e9, 1e9, devices=2) == 1.0
    assert reckoning.ring_seconds(1e9, 1e9, devices=4) == 1.5
    assert reckoning.ring_seconds(1e9, 1e9) == 2.0
    step = reckoning.Cost(weights=250_000, multiply_adds=50_000)  # 1 MB, and 1 ms an image at 0.1 GFLOP/s
    assert step.compute_seconds(10, rate=1e8) == pytest.approx(0.01)
    # The ring takes 2 ms at 1 GB/s; four times as long a computation is eight images.
    assert step.batch_per_device(1e8, 1e9) == 8
    # 64 images: 64 / n ms of computation and 2 (n - 1) / n ms of ring, which is four times less with n = 9.
    assert step.devices(64, 1e8, 1e9) == 9
    assert step.devices(64, 1e8, 1e3) == 1
    assert step.devices(64, 1e8, 1e15) == 64


def test_the_page_has_the_tables_as_they_are_reckoned():
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    tables = "\n".join(reckoning.tables(reckoning.costs())).split("\n\n")
    assert len(tables) == 3
    assert [table for table in tables if table not in page] == []
