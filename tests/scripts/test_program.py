import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import program


def test_what_is_said_during_an_import_is_shown_only_if_it_fails(capfd):
    with program.greetings_withheld():
        os.write(2, b"hello")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), program.greetings_withheld():
        os.write(2, b"no such library")
        raise ImportError
    assert capfd.readouterr().err == "no such library"


@pytest.mark.parametrize("quick", [True, False])
def test_a_script_starts_without_what_keras_imports_for_parts_no_script_uses(quick):
    text = """if True:
        import contextlib, gc, sys
        import program
        extras = {"matplotlib", "sklearn"}
        program.choose_backend()
        with program.quick_import() if %s else contextlib.nullcontext():
            import kerasgan
        print(sorted(extras & sys.modules.keys()), gc.isenabled())
        import matplotlib, sklearn.base
    """
    line = [sys.executable, "-c", text % quick]
    path = {"PYTHONPATH": str(Path(program.__file__).parent)}
    finished = subprocess.run(line, env=os.environ | path, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == f"{[] if quick else ['matplotlib', 'sklearn']} True"


@pytest.mark.parametrize(
    ("installed", "named", "chosen"),
    [
        ({"jax"}, None, "jax"),
        ({"tensorflow"}, None, "tensorflow"),
        ({"jax", "tensorflow"}, None, "jax"),
        ({"jax", "tensorflow"}, "tensorflow", "tensorflow"),
    ],
)
def test_the_backend_that_is_there_is_chosen_and_named(monkeypatch, capsys, installed, named, chosen):
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda name: name in installed or None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if named:
        monkeypatch.setenv("KERAS_BACKEND", named)
    program.choose_backend()
    assert program.os.environ["KERAS_BACKEND"] == chosen
    assert (f"running on {chosen}" in capsys.readouterr().out) == (named is None)


@pytest.mark.parametrize(
    ("installed", "named", "complaint"),
    [
        ({"tensorflow"}, "jax", 'KERAS_BACKEND is jax, which is not installed; pip install -e ".[jax]".'),
        ({"jax"}, "torch", "KERAS_BACKEND is 'torch'; set it to jax or tensorflow."),
        (set(), None, "neither jax nor tensorflow is installed"),
    ],
)
def test_a_backend_that_is_not_there_is_an_error_with_the_remedy(monkeypatch, capsys, installed, named, complaint):
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda name: name in installed or None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if named:
        monkeypatch.setenv("KERAS_BACKEND", named)
    with pytest.raises(SystemExit) as exited:
        program.choose_backend()
    assert exited.value.code == 2
    assert complaint in capsys.readouterr().err
