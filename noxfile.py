"""All checks of the house: `pip install nox && nox`. What stands after `--` goes on to the tool."""

import re
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "types", "tests", "cross_backend", "notebooks"]

BACKENDS = ["jax", "tensorflow"]
# A worker for every core: two of them halve the minutes; more than eight would take the memory of a laptop.
IN_PARALLEL = ["--numprocesses=auto", "--maxprocesses=8", "--dist=worksteal", "--durations=15"]
DEV_TOOLS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["dev"]


def pinned(tool: str) -> str:
    """Return the requirement of one development tool, as pyproject.toml has it."""
    return next(requirement for requirement in DEV_TOOLS if re.match(r"[\w-]+", requirement)[0] == tool)


def backend_env(backend: str) -> dict[str, str]:
    """Return the environment variables of a process that tests one backend."""
    return {
        # Many tests compile the same tiny step; a program that is compiled once is read from here by the others.
        "JAX_COMPILATION_CACHE_DIR": str(Path(".nox", "jax-cache").resolve()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "KERAS_BACKEND": backend,
        "KERASGAN_ONLY_BACKEND": backend,  # a test fails if the other one can be imported
        "CUDA_VISIBLE_DEVICES": "",  # the numbers that the tests compare are those of a CPU
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: nobody should have to discuss layout, or find an unused import by eye."""
    session.install(pinned("ruff"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict: what a signature promises must hold, with no backend installed."""
    session.install(".", pinned("mypy"))
    session.run("mypy", *session.posargs)


@nox.session(venv_backend="virtualenv")  # holds pip, which tests_python needs
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def tests(session: nox.Session, backend: str) -> None:
    """pytest, warnings as errors: Keras fixes its backend at import, so each has its own virtualenv."""
    session.install("--editable", f".[{backend},dev]")
    session.run("pytest", *IN_PARALLEL, *session.posargs, env=backend_env(backend))


@nox.session(venv_backend="none")
def cross_backend(session: nox.Session) -> None:
    """Same weights, same noise: what each backend learns, recorded where only it is installed, must agree."""
    recordings = {}
    pythons = {backend: tests_python(session, backend) for backend in BACKENDS}
    for backend, python in pythons.items():
        folder = Path(session.create_tmp(), backend).resolve()
        shutil.rmtree(folder, ignore_errors=True)  # an old one must not stand in for a failed one
        session.run(python, "tests/cross_backend/record.py", str(folder), external=True, env=backend_env(backend))
        recordings[f"KERASGAN_PARITY_{backend.upper()}"] = str(folder)
    for backend, python in pythons.items():
        env = backend_env(backend) | recordings
        session.run(python, "-m", "pytest", "tests/cross_backend", *session.posargs, external=True, env=env)


@nox.session(venv_backend="none")
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def notebooks(session: nox.Session, backend: str) -> None:
    """Every notebook from top to bottom, on little data: whoever learns from one must meet no error."""
    env = backend_env(backend) | {"KERASGAN_NOTEBOOKS": "1"}
    python = tests_python(session, backend)
    session.run(python, "-m", "pytest", *IN_PARALLEL, "tests/notebooks", *session.posargs, external=True, env=env)


@nox.session
def benchmark(session: nox.Session) -> None:
    """Everybody in one virtualenv, by turns on the same cores: are we still faster? Not among the default ones."""
    # This index has PyTorch without its gigabytes of CUDA libraries; pip takes 2.13.0+cpu for newer than 2.13.0.
    cpu_only = "--extra-index-url=https://download.pytorch.org/whl/cpu"
    session.install(cpu_only, "--editable", ".[jax,tensorflow,stream,bench]")
    session.run("python", "scripts/benchmark.py", *session.posargs)


def tests_python(session: nox.Session, backend: str) -> str:
    """Return the interpreter of a tests session; make its virtualenv here if that session never ran."""
    home = (session.cache_dir.parent / f"tests-{backend}").resolve()
    python = str(home / "bin" / "python")
    if not Path(python).exists():
        session.run(sys.executable, "-m", "venv", str(home), external=True)
    install = ["pip", "install", "--quiet", "--editable", f".[{backend},dev]"]  # seconds, if it is all there
    session.run(python, "-m", *install, external=True)
    return python
