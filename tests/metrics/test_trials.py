import numpy as np
import pytest

from kerasgan.metrics import Trial, draw_trials
from kerasgan.metrics.trials import _limits, _varied

BLUE, ORANGE, GREY = (0x3E, 0x6F, 0xB0), (0xC8, 0x64, 0x1E), (0x7B, 0x87, 0x94)
NO_MATHTEXT = "$\\frac{_"  # matplotlib raises where it takes this for mathematics


def trial(number, value=0.9, state="complete", **settings):
    return Trial(number, state, value, 12.0, {"network": "dense", **settings})


def pixels_of(picture, colour):
    return int((picture == colour).all(axis=-1).sum())


def test_one_trial_is_enough_for_a_picture():
    picture = draw_trials([trial(0, 0.5)])
    assert picture.dtype == np.uint8
    assert picture.shape[-1] == 3 and picture.shape[1] <= 1600
    assert pixels_of(picture, BLUE) > 20
    assert pixels_of(picture, ORANGE) > 20


def test_every_parameter_that_varies_gets_a_panel_and_no_other():
    constant = [trial(0, 0.5, units=64), trial(1, 0.6, units=64)]
    varied = [trial(0, 0.5, units=64), trial(1, 0.6, units=128)]
    assert _varied(constant) == []
    assert _varied(varied) == ["units"]
    assert draw_trials(varied).shape[0] > draw_trials(constant).shape[0]


def test_a_parameter_that_some_trials_lack_varies():
    assert _varied([trial(0, momentum=0.9), trial(1)]) == ["momentum"]
    assert draw_trials([trial(0, momentum=0.9), trial(1)]).size


def test_parameters_of_every_kind_are_drawn_without_a_warning():
    choices = {"flag": [True, False], "units": [1, 2], "rate": [1e-5, 0.3], "name": [NO_MATHTEXT, "b" * 50]}
    rows = [
        trial(number, 0.1 * number, **{name: both[number % 2] for name, both in choices.items()}) for number in (1, 2)
    ]
    many = [trial(number, 0.5, rate=0.001 * number, units=number) for number in range(3, 12)]
    assert draw_trials(rows + many).size


def test_the_line_of_the_best_leaves_out_what_ended_early():
    # Were it to count, the line would reach the top of the picture's panel at the third trial.
    early = draw_trials([trial(0, 0.5), trial(1, 0.4), trial(2, 0.9, "pruned")])
    complete = draw_trials([trial(0, 0.5), trial(1, 0.4), trial(2, 0.9)])
    assert pixels_of(early, GREY) > pixels_of(complete, GREY)
    rows = [np.flatnonzero((picture == ORANGE).all(axis=-1).any(axis=1)) for picture in (early, complete)]
    lines = [len(set(places.tolist())) for places in rows]
    assert lines[0] < lines[1]  # a flat line, and one with a step


def test_one_bad_trial_does_not_flatten_the_others():
    good = [0.90, 0.91, 0.92, 0.93]
    lowest, highest = _limits([*good, 0.1])
    # The best is 0.02 from the median 0.91, so the axis reaches 4 * 0.02 below it, and 7% beyond both ends.
    assert lowest == pytest.approx(0.93 - 0.08 - 0.07 * 0.08)
    assert highest == pytest.approx(0.93 + 0.07 * 0.08)
    assert _limits(good)[0] == pytest.approx(0.90 - 0.07 * 0.03)
    assert _limits([0.5]) == pytest.approx((0.49, 0.51))


def test_a_trial_without_a_value_is_left_out():
    plain = draw_trials([trial(0), trial(1)])
    more = [trial(2, None, "failed"), trial(3, None, "diverged"), trial(4, float("nan"))]
    np.testing.assert_array_equal(draw_trials([trial(0), trial(1), *more]), plain)


@pytest.mark.parametrize("trials", [[], [trial(0, None, "failed")]])
def test_trials_of_nothing_are_refused(trials):
    with pytest.raises(ValueError, match="trials holds no value to draw"):
        draw_trials(trials)
