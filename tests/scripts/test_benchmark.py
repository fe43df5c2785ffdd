"""The benchmark on few tiny steps: what it prints must be right, how fast anything is must not matter here."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

import kerasgan as kg
from kerasgan import testing

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import benchmark
from peers import contestants, keras_classifier, keras_networks, kerasgan_batches, memory, pictures, report
from peers.processes import Failed
from peers.workloads import OVER_EPOCHS, WORKLOADS

BACKEND = os.environ["KERAS_BACKEND"]
FEW = ["--workload", "tiny", "--steps", 3, "--rounds", 2, "--warmup", 1]


def test_kerasgan_is_compared_with_stock_keras_and_who_is_not_installed_is_named_and_a_trace_is_left(
    script, tmp_path, monkeypatch
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    asked = ["kerasgan-jax", "keras-jax", "kerasgan-tensorflow", "keras-tensorflow"]
    only = [word for name in asked for word in ("--only", name)]
    traced = ["--steps-per-execution", 1, "--profile", "traces"]
    done = script("benchmark.py", *FEW, *only, *traced, "--json", "figures.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures.json").read_text())
    missing = [name for name in ("jax", "tensorflow") if importlib.util.find_spec(name) is None]
    assert BACKEND not in missing
    assert sorted(found["contestants"]) == sorted(name for name in asked if name.split("-")[1] not in missing)
    for name in missing:
        line = f'{name}: skipped, {name} not installed; pip install -e ".[{name}]"'
        assert f"kerasgan-{line}" in done.stdout and f"\nkeras-{line}" in done.stdout
        assert found["left_out"][f"keras-{name}"] in line
    ours, stock = (found["contestants"][f"{who}-{BACKEND}"] for who in ("kerasgan", "keras"))
    assert ours["over"][f"kerasgan-{BACKEND}"] == 1.0
    assert len(stock["seconds"]) == 2 and min(stock["seconds"]) > 0
    ratios = [other / own for other, own in zip(stock["seconds"], ours["seconds"], strict=True)]
    assert stock["over"][f"kerasgan-{BACKEND}"] == pytest.approx(sum(ratios) / 2)
    assert stock["peak_megabytes"] > 50
    assert list((tmp_path / "temporary").iterdir()) == []
    assert "traces: tensorboard --logdir traces shows them" in done.stdout
    traces = [f"kerasgan-{name}" for name in ("jax", "tensorflow") if name not in missing]
    assert sorted(folder.name for folder in (tmp_path / "traces").iterdir()) == traces
    for trace in traces:
        (file,) = (tmp_path / "traces" / trace).glob("plugins/profile/*/*.xplane.pb")
        assert file.stat().st_size > 1000


def test_a_contestant_that_fails_is_named_with_its_error_and_the_status_tells(script, tmp_path, monkeypatch):
    (tmp_path / "kerasgan.py").write_text("raise ImportError('out of order')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = script("benchmark.py", *FEW, "--only", f"kerasgan-{BACKEND}", "--only", f"keras-{BACKEND}")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert error == f"error: kerasgan-{BACKEND} ended with status 1: ImportError: out of order"
    assert "\nkeras-" in done.stdout  # who is sound is timed all the same


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rounds", "0"], "0 is not positive; give a whole number of at least 1"),
        (["--workload", "huge"], "invalid choice: 'huge'"),
        (["--only", "keras-torch"], "invalid choice: 'keras-torch'"),
        (["--steps-per-execution", "many"], "invalid steps_per_execution value: 'many'"),
        (
            ["--workload", "cnn", "--only", "by-hand-jax"],
            "by-hand-jax takes no part in cnn; choose among kerasgan-jax, ",
        ),
        (["--workload", "memory", "--only", "kerasgan-host"], "kerasgan-host takes no part in memory"),
        (["--workload", "memory", "--rounds", "2"], "memory takes no --warmup, and --rounds of at least 3"),
        (["--workload", "memory", "--warmup", "1"], "memory takes no --warmup"),
        (["--workload", "input", "--profile", "traces"], "--profile is of training by itself, and not of input"),
        (["--stock-layers"], "unrecognized arguments: --stock-layers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_option_is_one_line(script, tmp_path, arguments, complaint):
    done = script("benchmark.py", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("lightning") is not None, reason="Lightning is installed here")
def test_where_nobody_asked_for_is_installed_the_remedy_is_one_line(script):
    done = script("benchmark.py", "--only", "lightning")
    assert done.returncode == 2
    assert 'lightning: skipped, torch and lightning not installed; pip install -e ".[bench]"' in done.stdout
    assert done.stderr.startswith("error: nobody to compare is installed") and done.stderr.count("\n") == 1


def answers(seconds):
    """Return what contestants would say after rounds of so many seconds."""
    rest = {"processor_seconds": 1.0, "peak_megabytes": 100.0, "resident_megabytes": 90.0, "programs": 3}
    return {name: [{"seconds": spent, **rest} for spent in rounds] for name, rounds in seconds.items()}


def test_ratios_are_medians_over_the_rounds_and_not_ratios_of_medians():
    # The machine was half as fast in the second round, for both; the medians are 3 and 2 seconds.
    seconds = {"kerasgan-jax": [1.0, 2.0, 3.0], "keras-jax": [2.0, 4.0, 3.0]}
    found = report.figures(WORKLOADS["tiny"].changed(steps=4, batch_size=8), answers(seconds))
    assert found["keras-jax"]["over"] == {"kerasgan-jax": 2.0}
    assert found["keras-jax"]["ms_per_step"] == {"median": 750.0, "min": 500.0, "max": 1000.0}
    assert found["keras-jax"]["images_per_second"] == pytest.approx(8 / 0.75)


@pytest.mark.parametrize(("fast", "slow"), [(0.1, 0.9), (40, 399)])
def test_the_table_fits_into_80_columns(fast, slow):
    seconds = {name: [slow, slow] for name in contestants.BY_NAME} | {"kerasgan-jax": [fast, fast]}
    lines = list(report.table(report.figures(WORKLOADS["dcgan"], answers(seconds))))
    assert len(lines) == len(contestants.BY_NAME) + 2
    assert max(map(len, lines)) <= 80


class Pretender:
    """Stands in for the process of a contestant."""

    def __init__(self, name, weights, rounds=10):
        self.contestant, self.weights, self.rounds, self.trained = contestants.BY_NAME[name], weights, rounds, 0

    def ready(self):
        return self.weights

    def round(self):
        self.trained += 1
        if self.trained > self.rounds:
            raise Failed("ended with status 1: out of breath")


def test_who_trains_other_networks_or_dies_is_left_out():
    sound = Pretender("kerasgan-jax", 100)
    larger, dying = Pretender("keras-jax", 101), Pretender("by-hand-jax", 100, rounds=1)
    finished, failed = benchmark.race([sound, larger, dying], warmup=1, rounds=2)
    assert finished == [sound]
    assert failed["keras-jax"] == "trains 101 weights, where the others train 100"
    assert failed["by-hand-jax"] == "ended with status 1: out of breath"
    assert (sound.trained, larger.trained, dying.trained) == (3, 0, 2)


@pytest.mark.parametrize("name", ["dcgan", "tiny"])
def test_the_networks_of_stock_keras_are_those_of_kerasgan(name):
    gan = kg.GAN.dcgan() if name == "dcgan" else testing.tiny_gan()
    for ours, theirs in zip((gan.generator, gan.discriminator), keras_networks.build(WORKLOADS[name]), strict=True):
        assert [weight.shape for weight in ours.weights if "seed" not in weight.path] == [
            weight.shape for weight in theirs.weights if "seed" not in weight.path
        ]
        assert [type(layer).__name__ for layer in ours.layers if type(layer).__name__ != "InputLayer"] == [
            type(layer).__name__ for layer in theirs.layers
        ]


def test_the_classifier_of_stock_keras_is_that_of_kerasgan():
    workload = WORKLOADS["cnn"]
    recipe = kg.CLASSIFIER_RECIPES["cnn"]
    assert (recipe.batch_size, recipe.learning_rate) == (workload.batch_size, workload.learning_rate)
    ours, theirs = recipe.build(workload.image_shape, "0123456789").network, keras_classifier.build(workload)
    assert [weight.shape for weight in ours.trainable_weights] == [weight.shape for weight in theirs.trainable_weights]
    assert [type(layer).__name__ for layer in ours.layers[1:]] == [type(layer).__name__ for layer in theirs.layers]
    for layer, other in zip(ours.layers[1:], theirs.layers, strict=True):
        same = set(layer.get_config()) & set(other.get_config()) - {"name", "dtype", "seed"}
        assert {name: layer.get_config()[name] for name in same} == {name: other.get_config()[name] for name in same}


@pytest.mark.parametrize(
    ("workload", "names"), [("cnn", ["kerasgan", "keras"]), ("input", ["kerasgan"])], ids=["cnn", "input"]
)
def test_the_other_workloads_run(script, tmp_path, workload, names):
    only = [word for name in names for word in ("--only", f"{name}-{BACKEND}")]
    only += ["--only", "kerasgan-host", "--only", "kerasgan-stream"] if workload == "input" else []
    few = ["--steps", 2, "--batch-size", 4, "--rounds", 1, "--warmup", 1]
    done = script("benchmark.py", "--workload", workload, *few, *only, "--json", "figures.json")
    assert done.returncode == 0, done.stderr
    assert f"{workload}: 2 steps of 4 images a round, 1 rounds" in done.stdout
    found = json.loads((tmp_path / "figures.json").read_text())["contestants"]
    assert len(found) == len(only) / 2
    for figures in found.values():
        assert figures["images_per_second"] == pytest.approx(4000 / figures["ms_per_step"]["median"])
        assert figures["over"][f"kerasgan-{BACKEND}"] > 0


def test_the_epochs_of_a_split_are_all_its_images_in_another_order_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workload = WORKLOADS["input"].changed(steps=5, batch_size=4)
    loaded = kg.data.load(pictures.written(workload), batch_size=4)
    # A folder sorts by class; the images are those of the array all the same.
    assert sorted(image.tobytes() for image in loaded.train.images) == sorted(p.tobytes() for p in workload.pixels())
    epochs = kerasgan_batches.Epochs(loaded.train)
    first, second = ([image.tobytes() for (images, _) in epochs for image in images] for _ in range(2))
    assert len(set(first)) == 20
    assert first != second and sorted(first) == sorted(second)


def test_memory_is_measured_over_both_gans(script, tmp_path):
    few = ["--steps", 1, "--batch-size", 2, "--rounds", 3, "--only", f"kerasgan-{BACKEND}", "--json", "figures.json"]
    done = script("benchmark.py", "--workload", "memory", *few)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures.json").read_text())
    assert [part["workload"]["name"] for part in found["workloads"]] == ["tiny", "dcgan"]
    for part in found["workloads"]:
        figures = part["contestants"][f"kerasgan-{BACKEND}"]
        assert figures["programs_after_first"] == 0
        peak = figures["peak_megabytes"]
        assert 50 < peak["second"] <= peak["last"]
        assert peak["growth"] == pytest.approx(peak["last"] / peak["second"] - 1)


def test_growth_counts_from_the_second_epoch_to_the_last():
    # What the first epoch takes and compiles is not growth.
    resident, peak, programs = [50, 100, 105, 110], [60, 200, 200, 202], [7, 7, 8, 9]
    epochs = [
        {"seconds": seconds, "resident_megabytes": now, "peak_megabytes": most, "programs": count}
        for seconds, now, most, count in zip([9.0, 1.0, 2.0, 3.0], resident, peak, programs, strict=True)
    ]
    (found,) = memory.figures(WORKLOADS["tiny"].changed(steps=1000), {"kerasgan-jax": epochs}).values()
    assert found["resident_megabytes"] == {"second": 100, "last": 110, "growth": pytest.approx(0.1), "each": resident}
    assert found["peak_megabytes"] == {"second": 200, "last": 202, "growth": pytest.approx(0.01), "each": peak}
    assert found["programs_after_first"] == 2
    assert found["ms_per_step"] == {"first": 2.0, "last": 2.0}


def test_the_time_of_the_first_ten_epochs_is_held_against_that_of_the_last_ten():
    epochs = answers({"": [99.0] + [1.0] * 10 + [50.0] * 5 + [2.0] * 10})[""]
    (found,) = memory.figures(WORKLOADS["tiny"].changed(steps=1000), {"kerasgan-jax": epochs}).values()
    assert found["ms_per_step"] == {"first": 1.0, "last": 2.0}


@pytest.mark.parametrize("known", [True, False])
def test_the_table_of_memory_fits_into_80_columns_also_where_only_the_peak_is_known(known):
    epochs = [
        {"seconds": 300.0, "resident_megabytes": size if known else None, "peak_megabytes": size, "programs": 999}
        for size in (12000, 12000, 13000)
    ]
    figures = memory.figures(
        OVER_EPOCHS[1], {one.name: epochs for one in contestants.taking_part("gan", in_bfloat16=True)}
    )
    lines = list(memory.table(figures, 500))
    assert max(map(len, lines)) <= 80
    assert sum(line.count("8.3%") for line in lines) == (2 if known else 1) * len(figures)
