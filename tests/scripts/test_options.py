import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import options


@pytest.fixture
def parser():
    parser = options.Parser(prog="train")
    options.add_training_options(parser)
    return parser


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--epochs", "0"], "0 is not positive; give a whole number of at least 1"),
        (["--batch-size", "-4"], "-4 is not positive"),
        (["--seed", "-1"], "-1 is negative"),
        (["--limit-train-batches", "1.5"], "1.5 is neither a whole number nor a fraction below 1"),
        (["--precision", "float8"], "invalid choice: 'float8'"),
        (["--bogus"], "unrecognized arguments: --bogus"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_bad_option_is_one_line_that_says_what_would_be_right(parser, capsys, arguments, complaint):
    with pytest.raises(SystemExit) as exited:
        parser.parse_args(arguments)
    assert exited.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["0", "1", "nan", "-1"])
def test_a_learning_rate_lies_between_zero_and_one(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no learning rate"):
        options.rate(text)


def test_what_is_said_during_an_import_is_shown_only_if_it_fails(capfd):
    with options.greetings_withheld():
        os.write(2, b"hello")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), options.greetings_withheld():
        os.write(2, b"no such library")
        raise ImportError
    assert capfd.readouterr().err == "no such library"


@pytest.mark.parametrize("quick", [True, False])
def test_a_script_starts_without_what_keras_imports_for_parts_no_script_uses(quick):
    program = """if True:
        import contextlib, gc, sys
        import options
        extras = {"matplotlib", "sklearn"}
        options.choose_backend()
        with options.quick_import() if %s else contextlib.nullcontext():
            import kerasgan
        print(sorted(extras & sys.modules.keys()), gc.isenabled())
        import matplotlib, sklearn.base
    """
    line = [sys.executable, "-c", program % quick]
    path = {"PYTHONPATH": str(Path(options.__file__).parent)}
    finished = subprocess.run(line, env=os.environ | path, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == f"{[] if quick else ['matplotlib', 'sklearn']} True"


@pytest.mark.parametrize(
    ("arguments", "choice"), [([], None), (["--compile-cache"], True), (["--compile-cache", "kept"], "kept")]
)
def test_the_compile_cache_is_off_or_the_users_or_a_directory(parser, arguments, choice):
    assert options.trainer_options(parser.parse_args(arguments))["compile_cache"] == choice


def test_limits_are_counts_or_fractions():
    assert options.share_or_count("3") == 3
    assert isinstance(options.share_or_count("3"), int)
    assert options.share_or_count("0.25") == 0.25


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
    monkeypatch.setattr(options.importlib.util, "find_spec", lambda name: name in installed or None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if named:
        monkeypatch.setenv("KERAS_BACKEND", named)
    options.choose_backend()
    assert options.os.environ["KERAS_BACKEND"] == chosen
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
    monkeypatch.setattr(options.importlib.util, "find_spec", lambda name: name in installed or None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if named:
        monkeypatch.setenv("KERAS_BACKEND", named)
    with pytest.raises(SystemExit) as exited:
        options.choose_backend()
    assert exited.value.code == 2
    assert complaint in capsys.readouterr().err
