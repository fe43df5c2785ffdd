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
from peers import contestants, keras_networks, report
from peers.processes import Failed
from peers.workloads import WORKLOADS

BACKEND = os.environ["KERAS_BACKEND"]
FEW = ["--workload", "tiny", "--steps", 3, "--rounds", 2, "--warmup", 1]


def test_kerasgan_is_compared_with_stock_keras_and_who_is_not_installed_is_named(script, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    asked = ["kerasgan-jax", "keras-jax", "kerasgan-tensorflow", "keras-tensorflow"]
    only = [word for name in asked for word in ("--only", name)]
    done = script("benchmark.py", *FEW, *only, "--json", "figures.json")
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
    assert 'lightning: skipped, torch and lightning not installed; pip install -e ".[peers]"' in done.stdout
    assert done.stderr.startswith("error: nobody to compare is installed") and done.stderr.count("\n") == 1


def test_ratios_are_medians_over_the_rounds_and_not_ratios_of_medians():
    # The machine was half as fast in the second round, for both; the medians are 3 and 2 seconds.
    seconds = {"kerasgan-jax": [1.0, 2.0, 3.0], "keras-jax": [2.0, 4.0, 3.0]}
    found = report.figures(WORKLOADS["tiny"].changed(steps=4, batch_size=8), seconds)
    assert found["keras-jax"]["over"] == {"kerasgan-jax": 2.0}
    assert found["keras-jax"]["ms_per_step"] == {"median": 750.0, "min": 500.0, "max": 1000.0}
    assert found["keras-jax"]["images_per_second"] == pytest.approx(8 / 0.75)


@pytest.mark.parametrize(("fast", "slow"), [(0.1, 0.9), (40, 399)])
def test_the_table_fits_into_80_columns(fast, slow):
    seconds = {name: [slow, slow] for name in contestants.BY_NAME} | {"kerasgan-jax": [fast, fast]}
    lines = list(report.table(report.figures(WORKLOADS["dcgan"], seconds)))
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
