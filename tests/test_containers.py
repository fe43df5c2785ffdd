"""The container files, as far as they can be tested without Docker."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
LINES = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
BEFORE_INSTALLATION = LINES[: next(index for index, (_, rest) in enumerate(LINES) if rest.startswith("pip install"))]
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def arguments(instruction):
    """What follows an instruction, once for every time it is given."""
    return [rest for word, rest in LINES if word == instruction]


def copied(lines):
    """The paths that lines of the Dockerfile copy out of the repository."""
    words = [shlex.split(rest) for word, rest in lines if word == "COPY"]
    return [path for *paths, _target in words for path in paths if not path.startswith("--")]


def ignored(path):
    """Whether a pattern of .dockerignore keeps a path of the repository out; `**/` stands for any directories."""
    names = [path, *map(str, Path(path).parents)]
    patterns = [*IGNORED, *(pattern.removeprefix("**/") for pattern in IGNORED)]
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def open_to_others(compose):
    """The published ports that machines other than this one could reach."""
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    return [port for port in ports if not (isinstance(port, str) and port.startswith("127.0.0.1:"))]


def test_every_path_that_the_dockerfile_copies_is_there():
    assert len(copied(LINES)) > len(copied(BEFORE_INSTALLATION)) > 0
    assert [path for path in copied(LINES) if not (ROOT / path).exists() or ignored(path)] == []


def test_ignored_are_runs_and_data_but_not_the_package():
    for path in ("runs/mnist/model.keras", "data/mnist", ".git/config", ".nox/tests-jax", "kerasgan/__pycache__"):
        assert ignored(path), path
    for path in ("kerasgan/data/module.py", "notebooks/05_dcgan.ipynb", "README.md"):
        assert not ignored(path), path


def test_what_is_copied_before_the_installation_is_all_that_it_needs(tmp_path):
    for path in copied(BEFORE_INSTALLATION):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        copy(ROOT / path, tmp_path / path)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    assert list(tmp_path.glob("dist/kerasgan-*.whl"))


def test_the_extras_that_it_installs_are_there_for_both_backends():
    (extras,) = re.findall(r'pip install .*"\.\[(.+)\]"', DOCKERFILE)
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for backend in ("jax", "tensorflow"):
        assert set(extras.replace("${BACKEND}", backend).split(",")) <= set(offered)


def test_the_image_runs_as_somebody_who_is_not_root():
    assert arguments("USER") == ["learner"]


def test_every_port_is_published_on_this_machine_alone():
    assert sorted(port for service in COMPOSE["services"].values() for port in service["ports"]) == [
        "127.0.0.1:6006:6006",
        "127.0.0.1:8888:8888",
    ]
    assert open_to_others(COMPOSE) == []


@pytest.mark.parametrize("port", ["8888:8888", "0.0.0.0:8888:8888", "8888", {"target": 8888, "published": "8888"}])
def test_a_port_for_everybody_would_be_found(port):
    assert open_to_others({"services": {"lab": {"ports": [port]}}}) == [port]


def test_jupyter_does_not_start_without_a_token():
    assert re.fullmatch(r"\$\{JUPYTER_TOKEN:\?.+\}", COMPOSE["services"]["lab"]["environment"]["JUPYTER_TOKEN"])
    # Whatever is said on the command line would overrule it.
    assert not re.search("token|password", " ".join(arguments("CMD")))


def test_jupyter_is_started_on_the_port_that_is_published():
    (command,) = map(json.loads, arguments("CMD"))
    assert command == ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
    assert "command" not in COMPOSE["services"]["lab"]


def test_tensorboard_is_started_on_the_directory_that_is_mounted():
    service, (home,) = COMPOSE["services"]["tensorboard"], arguments("WORKDIR")
    assert service["command"] == ["tensorboard", "--logdir=runs", "--host=0.0.0.0", "--port=6006"]
    assert service["volumes"] == [f"./runs:{home}/runs:ro"]


def test_notebooks_and_runs_can_be_written_and_data_only_read():
    (home,) = arguments("WORKDIR")
    assert COMPOSE["services"]["lab"]["volumes"][:3] == [
        f"./notebooks:{home}/notebooks",
        f"./runs:{home}/runs",
        f"${{KERASGAN_DATA_DIR:-./data}}:{home}/data:ro",
    ]
