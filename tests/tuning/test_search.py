import functools
import re

import numpy as np
import optuna
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images
from kerasgan.tuning import search as module


def labelled(count, seed):
    images = ((tiny_images(count, seed=seed) + 1) * 127.5).astype("uint8")
    return images, np.arange(count) % 2


@pytest.fixture
def search(tmp_path):
    """Make a search of dense networks over a few images, in one directory."""

    def make(load=None, **options):
        load = load or functools.partial(kg.data.DataModule, *labelled(80, seed=0), test=labelled(20, seed=1))
        options = {"network": "dense", "trials": 1, "epochs": 1, "val_size": 16} | options
        return kg.tuning.Search(tmp_path / "run", load, **options)

    return make


@pytest.fixture
def scores(monkeypatch):
    """Replace the training of a trial: it comes to these accuracies, one after another; None for a diverged one."""

    def come_to(*values):
        left = iter(values)

        def run_trial(study, trial, *arguments):
            value = next(left)
            if value is None:
                trial.set_user_attr("diverged", True)
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, value)

        monkeypatch.setattr(module, "run_trial", run_trial)

    return come_to


def test_a_search_is_run_and_resumed_and_the_best_of_it_trained_longer(search, scores, capsys):
    scores(0.25, 0.75, 0.75)
    assert [trial.value for trial in search().run()] == [0.25]
    best = search(trials=3).run(resume=True)
    assert [trial.value for trial in best] == [0.75, 0.75, 0.25]
    again = search(trials=3)
    found = again.train_final(epochs=2)
    # Of equals the earlier one is trained, and that is the one of which the report speaks.
    assert (found["trial"], found["epochs"], found["split"], found["images"]) == (1, 2, "test", 20)
    page = (again.run_dir / "report.md").read_text()
    assert "Those of trial 1, by" in page
    assert re.search(rf"\| test accuracy +\| +{found['accuracy']:.4f} \|", page)
    capsys.readouterr()
    assert again.train_final(epochs=2) == found
    assert capsys.readouterr().out == f"\ntest  accuracy {found['accuracy']:.4f}\n"
    with pytest.raises(ValueError, match="holds trial 1, trained for 2 epochs, and now trial 1 is to be trained for 3"):
        again.train_final(epochs=3)


def test_the_best_come_first_and_of_equals_the_earlier(search, scores):
    scores(0.25, 0.75, None, 0.75, 0.5)
    best = search(trials=5).run()
    assert [(trial.number, trial.value) for trial in best] == [(1, 0.75), (3, 0.75), (4, 0.5), (0, 0.25)]


def test_a_search_in_which_all_diverge_says_so(search, scores):
    scores(None, None)
    with pytest.raises(kg.tuning.TuningError, match=r"none of 2 trials came to its end; --resume with more --trials\."):
        search(trials=2).run()
    with pytest.raises(kg.tuning.TuningError, match=r"none of 2 trials in .* came to its end; run more"):
        search(trials=2).train_final()
    # What came of it is there to look at all the same.
    assert len((search().run_dir / "trials.csv").read_text().splitlines()) == 3


def test_there_is_no_final_training_before_a_search(search):
    with pytest.raises(ValueError, match=r"holds no study; run the search first\."):
        search().train_final()
    assert not search().run_dir.exists()


def test_load_is_asked_once_for_each_size_of_batch_and_for_the_split_and_the_seed(search, scores):
    scores(0.5, 0.5)
    asked = []

    def load(**options):
        asked.append(options)
        return kg.data.DataModule(*labelled(80, seed=0), **options)

    search(load, trials=2, seed=3).run()
    assert asked == [{"batch_size": size, "val_size": 16, "seed": 3} for size in (1, 64)]


@pytest.mark.parametrize(
    ("load", "complaint"),
    [
        (lambda **options: kg.data.DataModule(labelled(20, 0)[0], **options), "images has no labels, and a classifier"),
        (
            lambda **options: kg.data.DataModule(*labelled(20, 0), batch_size=4),
            "images has no validation split to choose by; let",
        ),
    ],
    ids=["labels", "validation"],
)
def test_data_that_cannot_be_learnt_from_or_chosen_by_is_refused(search, load, complaint):
    with pytest.raises(ValueError, match=complaint):
        search(load).run()
    assert not search().run_dir.exists()


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ({"trials": 0}, "trials is 0; choose a positive number."),
        ({"max_minutes": -1}, "max_minutes is -1; choose a positive number."),
        ({"augment": ["squeeze"]}, "augmentation 'squeeze' is unknown; choose from shift"),
        ({"network": "transformer"}, "network is 'transformer'; choose one of convnet, dense."),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_named(search, option, complaint):
    with pytest.raises(ValueError, match=complaint):
        search(**option)


def test_a_fast_dev_run_keeps_no_run_directories(search):
    assert len(search(fast_dev_run=True).run()) == 1
    assert not (search().run_dir / "trials").exists()
