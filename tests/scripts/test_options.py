import argparse
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import options
import program
import values


@pytest.fixture
def parser():
    parser = program.Parser(prog="train")
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
        values.rate(text)


@pytest.mark.parametrize(
    ("arguments", "choice"), [([], None), (["--compile-cache"], True), (["--compile-cache", "kept"], "kept")]
)
def test_the_compile_cache_is_off_or_the_users_or_a_directory(parser, arguments, choice):
    assert options.trainer_options(parser.parse_args(arguments))["compile_cache"] == choice


def test_limits_are_counts_or_fractions():
    assert values.share_or_count("3") == 3
    assert isinstance(values.share_or_count("3"), int)
    assert values.share_or_count("0.25") == 0.25
