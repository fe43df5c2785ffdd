import pytest

from kerasgan.callbacks.progress_lines import (
    Progress,
    duration,
    live_line,
    number,
    plain_line,
    short,
    summary_line,
)

LOSSES = {"discriminator_loss": 1.20341, "generator_loss": 0.87312}
VALIDATED = {**LOSSES, "val_discriminator_loss": 1.18023, "val_generator_loss": 0.91234}


def progress(logs, **changes):
    known = {
        "epoch": 3,
        "epochs": 50,
        "step": 117,
        "steps": 234,
        "rate": 1834.2,
        "unit": "images",
        "seconds": 2.1,
    }
    return Progress(logs=logs, players=("generator", "discriminator"), **{**known, **changes})


def text(line):
    return "".join(piece for piece, _style in line).rstrip()


def test_a_plain_line_names_everything_as_logged():
    assert plain_line(progress(LOSSES)) == (
        "epoch 3/50  generator_loss 0.8731  discriminator_loss 1.2034  1834 images/s  2.1 s"
    )
    assert "  val_generator_loss 0.9123  val_discriminator_loss 1.1802  " in plain_line(progress(VALIDATED))


def test_a_summary_of_two_losses_fits_80_columns():
    line, detail = summary_line(progress(LOSSES), 79)
    assert text(line) == "epoch  3/50  generator 0.8731  discriminator 1.2034  1834 images/s  2.1 s"
    assert detail == 1


def test_a_summary_of_two_losses_and_their_validation_fits_80_columns():
    line, detail = summary_line(progress(VALIDATED), 79)
    assert text(line) == "epoch  3/50  gen 0.873 (val 0.912)  disc 1.203 (val 1.180)  1834 img/s  2.1 s"
    assert text(summary_line(progress(LOSSES), 79, detail)[0]).startswith("epoch  3/50  gen 0.873  disc 1.203")


def test_a_live_line_of_two_losses_fits_80_columns_with_everything():
    line = live_line(progress(LOSSES, seconds=250), 79)
    assert text(line) == "epoch  3/50 ━━━──── 117/234  gen 0.873  disc 1.203  1834 img/s  4 min 10 s left"


def test_a_wide_terminal_shows_names_as_logged():
    line = text(live_line(progress(LOSSES, seconds=250), 120))
    assert "generator_loss 0.8731  discriminator_loss 1.2034  1834 images/s  4 min 10 s left" in line


@pytest.mark.parametrize("width", range(20, 130, 7))
@pytest.mark.parametrize("logs", [{}, LOSSES, VALIDATED, {f"metric_{i}": float(i) for i in range(20)}])
def test_no_line_is_ever_wider_than_the_terminal(width, logs):
    for steps in (None, 3, 100_000):
        assert len(text(live_line(progress(logs, steps=steps, seconds=1e5), width + 12))) <= width + 12
    assert len(text(summary_line(progress(logs), width)[0])) <= width


def test_a_narrow_terminal_loses_the_bar_and_the_rate_before_the_losses():
    assert text(live_line(progress(LOSSES, seconds=60), 60)) == (
        "epoch  3/50  117/234  gen 0.873  disc 1.203  1 min 0 s left"
    )


def test_a_terminal_without_unicode_gets_a_bar_of_ascii():
    assert text(live_line(progress(LOSSES, seconds=60), 90, ascii_only=True)).isascii()


def test_unknown_steps_show_a_count_alone():
    line = text(live_line(progress({"loss": 1.0}, steps=None, rate=12.34, unit="steps", seconds=None), 79))
    assert line == "epoch  3/50  step 117  loss 1.0000  12.3 steps/s"


def test_two_metrics_never_share_a_name():
    line = text(summary_line(progress({"disc_loss": 1.0, "discriminator_loss": 2.0}), 66)[0])
    assert "disc_loss 1.000" in line


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (2.14, "2.1 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (250, "4 min 10 s"),
     (3599.7, "1 h 0 min"), (11100, "3 h 5 min"), (187200, "2 d 4 h")],
)  # fmt: skip
def test_durations_read_as_one_says_them(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.87312, "0.8731"), (0.0, "0.0000"), (-1.5, "-1.5000"), (3e-7, "3.00e-07"), (1e9, "1.00e+09"),
     (float("nan"), "nan"), (float("-inf"), "-inf")],
)  # fmt: skip
def test_numbers_show_digits_that_mean_something(value, written):
    assert number(value) == written


@pytest.mark.parametrize(
    ("name", "shortened"),
    [("generator_loss", "gen"), ("critic_loss", "crit"), ("loss", "loss"), ("gradient_penalty", "grad pen")],
)
def test_short_names_keep_the_start_of_each_word(name, shortened):
    assert short(name) == shortened
