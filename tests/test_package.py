"""What an installed kerasgan is: its files, its version, what its import costs, and its one backend."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kerasgan

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "kerasgan"
BACKENDS = {"jax", "tensorflow"}

# Slow to import, or an optional part of a run: each is imported by the function that needs it. Keras imports
# some of them itself, so a look at sys.modules would prove nothing: ask instead who called `import`.
IMPORTED_LATE = {
    "PIL",
    "array_record",
    "grain",
    "matplotlib",
    "optuna",
    "pandas",
    "rich",
    "scipy",
    "sklearn",
    "tensorboard",
    "tensorboardX",
}
WATCH_IMPORTS = """
import builtins, json, sys
late, plain_import, seen = set(json.loads(sys.argv[1])), builtins.__import__, set()

def watched_import(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    root = name.partition(".")[0]
    if level == 0 and root in late and importer.partition(".")[0] == sys.argv[2]:
        seen.add(f"{importer} imports {root}")
    return plain_import(name, globals, locals, fromlist, level)

builtins.__import__ = watched_import
__import__(sys.argv[2])
print(json.dumps(sorted(seen)))
"""

TIME_IMPORTS = """
import json, sys, time
begin = time.process_time()
__import__(sys.argv[1])
middle = time.process_time()
__import__(sys.argv[2])
print(json.dumps([middle - begin, time.process_time() - middle]))
"""


def late_imports_of(package, late, path=None):
    """Import the package in a fresh interpreter and return what it should have left for later."""
    result = subprocess.run(
        [sys.executable, "-c", WATCH_IMPORTS, json.dumps(sorted(late)), package],
        capture_output=True,
        text=True,
        check=True,
        cwd=path,
    )
    return json.loads(result.stdout.splitlines()[-1])


def test_version_is_the_one_of_the_installed_package():
    assert kerasgan.__version__ == importlib.metadata.version("kerasgan")


def test_wheel_holds_every_file_of_the_package(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("kerasgan/")}
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.glob("metrics/weights/*"), PACKAGE / "py.typed"]
    assert {"mnist.safetensors", "fashion_mnist.json"} <= {file.name for file in files}
    assert packed == {file.relative_to(REPOSITORY).as_posix() for file in files}


def test_import_leaves_slow_and_optional_packages_alone():
    other_backends = BACKENDS - {os.environ.get("KERAS_BACKEND", "")}
    assert late_imports_of("kerasgan", IMPORTED_LATE | other_backends) == []


def test_watch_sees_an_import_that_comes_early(tmp_path):
    package = tmp_path / "early"
    package.mkdir()
    (package / "__init__.py").write_text("import json\nfrom early import part\n")
    (package / "part.py").write_text("import json\n")
    found = late_imports_of("early", {"json"}, path=tmp_path)
    assert found == ["early imports json", "early.part imports json"]


def seconds_of_imports(first, second, path=None):
    """Import two packages in a fresh interpreter and return the processor time each has taken."""
    line = [sys.executable, "-c", TIME_IMPORTS, first, second]
    result = subprocess.run(line, capture_output=True, text=True, check=True, cwd=path)
    return json.loads(result.stdout.splitlines()[-1])


def test_import_takes_a_small_part_of_the_time_of_keras():
    keras_seconds, own_seconds = seconds_of_imports("keras", "kerasgan")
    assert own_seconds < 0.15 * keras_seconds


def test_clock_sees_an_import_that_takes_its_time(tmp_path):
    (tmp_path / "slow.py").write_text("import time\nwhile time.process_time() < 0.5:\n    pass\n")
    quick_seconds, slow_seconds = seconds_of_imports("json", "slow", path=tmp_path)
    assert slow_seconds > 0.3 > quick_seconds


@pytest.mark.skipif(
    "KERASGAN_ONLY_BACKEND" not in os.environ, reason="only nox promises an environment with one backend"
)
def test_environment_holds_one_backend():
    only = os.environ["KERASGAN_ONLY_BACKEND"]
    assert {name for name in BACKENDS if importlib.util.find_spec(name)} == {only}
