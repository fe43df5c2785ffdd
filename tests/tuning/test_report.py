import csv

import pytest

from kerasgan.metrics import Trial
from kerasgan.tuning import report

TRAINING = {"activation": "leaky_relu", "dropout": 0.5, "optimizer": "rmsprop", "rate": 0.00012, "batch_size": 256}
DENSE = {"network": "dense", "layers": 3, "units": 512} | TRAINING
# The longest that the space has for 28x28 pixels.
CONVNET = {"network": "convnet", "blocks": 3, "filters": 16, "convolutions": 2, "units": 256} | TRAINING
CONVNET |= {"batch_normalization": True}


def test_the_longest_line_of_a_trial_fits_under_its_heading():
    heading = report.heading("convnet")
    line = report.trial_line(Trial(99999, "complete", 0.98765, 12345.6, CONVNET), best=True)
    assert len(heading) == 80 and len(line) == 80
    for name, text in {"network": "2x16-32-64 bn leaky_relu", "optimizer": "rmsprop 1.2e-4"}.items():
        assert heading.index(name) == line.index(text)
    for name, text in {"trial": "99999", "score": "0.9877", "dense": "256", "drop": "0.5"}.items():
        assert heading.index(name) + len(name) == line.index(text) + len(text)


@pytest.mark.parametrize(
    ("state", "value", "mark"),
    [("pruned", 0.25, "0.2500 cut"), ("diverged", None, "- NaN"), ("failed", None, "- lost")],
)
def test_a_line_says_how_a_trial_ended(state, value, mark):
    assert f" {mark} " in report.trial_line(Trial(3, state, value, None, DENSE), best=False)


def test_the_table_has_every_trial_and_every_parameter(tmp_path):
    trials = [Trial(0, "complete", 0.5, 1.25, DENSE), Trial(1, "failed", None, None, DENSE | {"layers": 1})]
    report.write_table(tmp_path / "trials.csv", trials)
    with (tmp_path / "trials.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["number", "state", "value", "seconds", *DENSE]
    assert (first["value"], first["seconds"], first["rate"]) == ("0.5", "1.250", "0.00012")
    assert (second["state"], second["value"], second["seconds"], second["layers"]) == ("failed", "", "", "1")


def test_the_page_tells_of_the_final_model_only_once_there_is_one():
    trials = [Trial(0, "complete", 0.5, 1.0, DENSE), Trial(1, "pruned", 0.75, 1.0, DENSE)]
    begun = {"trial": 0, "epochs": 15}
    found = {"validation": 0.75, "split": "test", "accuracy": 0.625, "images": 2000}
    page = report.page("a_b*c", {"seed": "0"}, trials, begun)
    assert page.startswith("# a_b\\*c: search") and "Those of trial 0, by" in page
    assert "Final model" not in page and "final/report.md" not in page
    page = report.page("a_b*c", {"seed": "0"}, trials, begun | found)
    assert "| test accuracy            | 0.6250 |" in page and "| test images              |  2,000 |" in page


def test_one_is_not_many():
    assert [report.counted(number, "trial") for number in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
