import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import kerasgan as kg
from kerasgan.trainer import compile_cache

ON_JAX = keras.backend.backend() == "jax"
TRAIN = """
import collections, json, sys, tempfile
import keras
import kerasgan as kg
from kerasgan.testing import tiny_gan, tiny_images

events = collections.Counter()
if kg.backends.name == "jax":
    import jax.monitoring
    jax.monitoring.register_event_listener(lambda event, **details: events.update([event.rsplit("/", 1)[-1]]))
trainer = kg.Trainer(tempfile.mkdtemp(), fast_dev_run=True, seed=0)
gan = tiny_gan()
if sys.argv[1:] == ["xla"]:
    gan.compile(optimizer={player: keras.optimizers.SGD(1e-3) for player in gan.players}, jit_compile=True)
losses = trainer.fit(gan, tiny_images(), batch_size=8).history
print(json.dumps({"losses": losses, **events}))
"""


@pytest.fixture
def train(tmp_path):
    """Train in a process of its own; return what it counted, what it said, and the cached files."""
    cache = tmp_path / "cache"

    def run(*arguments, variable=cache):
        variables = {name: value for name, value in os.environ.items() if "CACHE" not in name}
        variables |= {} if variable is None else {compile_cache.VARIABLE: str(variable)}
        line = [sys.executable, "-c", TRAIN, *arguments]
        finished = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=300)
        assert finished.returncode == 0, finished.stderr
        files = {file.name: file.stat().st_mtime_ns for file in cache.rglob("*") if not file.name.endswith("-atime")}
        return json.loads(finished.stdout.splitlines()[-1]), finished.stderr, files

    return run


@pytest.mark.skipif(not ON_JAX, reason="TensorFlow traces its graphs in every process")
def test_a_second_process_compiles_nothing_and_learns_the_same(train, tmp_path):
    plain, _, files = train(variable=None)
    assert files == {}
    assert "cache_hits" not in plain

    first, _, files = train()
    assert first["losses"] == plain["losses"]
    compiled = first["cache_misses"]
    assert compiled == len(files) > 10

    second, _, files_then = train()
    assert second["losses"] == first["losses"]
    assert "cache_misses" not in second
    assert second["cache_hits"] >= compiled
    assert files_then == files

    # A kill has cut off an entry: it is compiled again.
    step = max((tmp_path / "cache").glob("*-cache"), key=lambda file: file.stat().st_size)
    step.write_bytes(step.read_bytes()[:1000])
    third, said, _ = train()
    assert "Error reading persistent compilation cache entry" in said
    assert third["cache_hits"] == second["cache_hits"] - 1
    assert third["losses"] == first["losses"]


@pytest.mark.skipif(ON_JAX, reason="of TensorFlow")
def test_on_tensorflow_plain_graphs_are_not_kept_and_a_warning_says_so(train):
    _, said, files = train()
    assert files == {}
    assert "warning: on tensorflow the compile cache serves only what XLA compiles" in said


@pytest.mark.skipif(ON_JAX, reason="of TensorFlow")
def test_on_tensorflow_what_xla_compiles_is_kept(train):
    first, _, files = train("xla")
    assert files
    second, _, files_then = train("xla")
    assert second["losses"] == first["losses"]
    assert files_then == files


# Which directory.


@pytest.fixture
def used(monkeypatch):
    """The directories that the engine is told of."""
    directories = []
    monkeypatch.setattr(compile_cache.backends, "use_compile_cache", directories.append)
    monkeypatch.delenv(compile_cache.VARIABLE, raising=False)
    return directories


def test_a_directory_is_made_for_its_owner_alone(used, tmp_path):
    kg.Trainer(tmp_path / "run", compile_cache=tmp_path / "deep" / "cache")
    assert used == [tmp_path / "deep" / "cache"]
    assert used[0].stat().st_mode & 0o777 == 0o700
    assert list(used[0].iterdir()) == []


def test_the_environment_names_a_directory_unless_the_trainer_does(used, tmp_path, monkeypatch):
    kg.Trainer(tmp_path / "run")
    assert used == []
    monkeypatch.setenv(compile_cache.VARIABLE, str(tmp_path / "named"))
    kg.Trainer(tmp_path / "run")
    kg.Trainer(tmp_path / "run", compile_cache=str(tmp_path / "given"))
    kg.Trainer(tmp_path / "run", compile_cache=False)
    assert used == [tmp_path / "named", tmp_path / "given"]


def test_true_stands_for_one_among_the_users_caches(used, tmp_path, monkeypatch):
    monkeypatch.setattr(compile_cache.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    kg.Trainer(tmp_path / "run", compile_cache=True)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    kg.Trainer(tmp_path / "run", compile_cache=True)
    monkeypatch.setattr(compile_cache.sys, "platform", "darwin")
    kg.Trainer(tmp_path / "run", compile_cache=True)
    places = ["caches", "home/.cache", "home/Library/Caches"]
    assert used == [tmp_path / place / "kerasgan" / "compiled" for place in places]
    assert not Path("relative").exists()


@pytest.mark.parametrize("by", ["compile_cache", compile_cache.VARIABLE])
def test_a_directory_that_cannot_be_written_is_one_line(used, tmp_path, monkeypatch, by):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "cache"
    if by == compile_cache.VARIABLE:
        monkeypatch.setenv(by, str(place))
    with pytest.raises(ValueError, match=f"{by} is {place}, which cannot be written .*; choose another") as raised:
        kg.Trainer(tmp_path / "run", compile_cache=place if by == "compile_cache" else None)
    assert "\n" not in str(raised.value)
    assert used == []
