"""Ours against torch-fidelity, torchmetrics and prdc, whose values for the same features are in reference.json."""

import json

import numpy as np
import pytest

from kerasgan.metrics import (
    classifier_score,
    density_coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
)
from kerasgan.metrics.kernel import _discrepancy
from kerasgan.metrics.samples import distances, radii
from tests.metrics import reference

RECORDED = json.loads(reference.FILE.read_text(encoding="utf-8"))
ALL = {**reference.CASES, **reference.TIES, **reference.SAME}
RELATIVE = 1e-5

every_case = pytest.mark.parametrize("name", reference.CASES)
mostly_bias = pytest.mark.filterwarnings("ignore:the Fréchet distance of 40 images")


def features(name):
    """The features of a case, which must be those that the recorded values belong to."""
    real, fake = ALL[name]()
    assert reference.sum_of(real, fake) == pytest.approx(RECORDED["cases"][name]["sum"], rel=1e-12)
    return real, fake


@mostly_bias
@pytest.mark.parametrize("name", ALL)
def test_the_frechet_distance_is_theirs(name):
    found = frechet_distance(*features(name))
    for theirs in ("torch-fidelity", "torchmetrics"):
        assert found == pytest.approx(RECORDED["cases"][name]["frechet"][theirs], rel=RELATIVE), theirs


def test_real_images_against_real_ones_are_half_a_unit_apart_by_their_formula_too():
    (name,) = reference.SAME
    assert RECORDED["cases"][name]["frechet"]["torch-fidelity"] == pytest.approx(0.50, abs=0.02)


@every_case
def test_the_kernel_distance_of_all_images_is_theirs(name):
    # Theirs wants equal numbers, and takes one subset: all of them.
    real, fake = features(name)
    fewest = min(len(real), len(fake))
    found = _discrepancy(real[:fewest], fake[:fewest])
    for theirs in ("torch-fidelity", "torchmetrics"):
        assert found == pytest.approx(RECORDED["cases"][name]["kernel of all"][theirs], rel=RELATIVE), theirs


@pytest.mark.parametrize(("name", "size"), reference.BLOCK_SIZES.items())
def test_the_kernel_distance_in_blocks_is_theirs_on_the_same_blocks(name, size):
    found = kernel_distance(*features(name), block_size=size, seed=0)
    for theirs in ("torch-fidelity", "torchmetrics"):
        assert found.mean == pytest.approx(RECORDED["cases"][name]["kernel of blocks"][theirs], rel=RELATIVE), theirs


def all_four(real, fake):
    few, many = reference.NEIGHBOURS
    found = precision_recall(real, fake, neighbours=few), density_coverage(real, fake, neighbours=many)
    return {**found[0]._asdict(), **found[1]._asdict()}


@every_case
def test_measures_by_nearest_neighbours_are_theirs_where_no_point_lies_on_a_rim(name):
    found = all_four(*features(name))
    recorded = RECORDED["cases"][name]["neighbours"]
    for theirs in ("torch-fidelity", "prdc"):
        for measure, value in recorded[theirs].items():
            assert found[measure] == pytest.approx(value, rel=RELATIVE), (theirs, measure)


def with_open_balls(real, fake):
    """The same measures with prdc's balls, which have no rim: `<` in place of `<=`."""
    few, many = reference.NEIGHBOURS
    between = np.concatenate([block for _, block in distances(fake, real)])  # (fake, real)
    back = np.concatenate([block for _, block in distances(real, fake)])
    reach = radii(real, many)
    return {
        "precision": (between < radii(real, few)).any(axis=1).mean(),
        "recall": (back < radii(fake, few)).any(axis=1).mean(),
        "density": (between < reach).sum() / (many * len(fake)),
        "coverage": (between < reach).any(axis=0).mean(),
    }


def test_points_on_a_rim_are_inside_for_us_and_torch_fidelity_and_outside_for_prdc():
    (name,) = reference.TIES
    real, fake = features(name)
    found, recorded = all_four(real, fake), RECORDED["cases"][name]["neighbours"]
    for measure, value in recorded["torch-fidelity"].items():
        assert found[measure] == pytest.approx(value, rel=RELATIVE), measure
    for measure, value in with_open_balls(real, fake).items():
        assert value == pytest.approx(recorded["prdc"][measure], rel=RELATIVE), measure
        assert found[measure] > value + 0.1, measure


@pytest.mark.parametrize("index", range(len(reference.LOGITS)))
def test_the_classifier_score_is_their_inception_score_over_one_split(index):
    logits = reference.logits(19, *reference.LOGITS[index])
    recorded = RECORDED["scores"][index]
    assert reference.sum_of(logits) == pytest.approx(recorded["sum"], rel=1e-12)
    assert classifier_score(reference.softmax(logits)) == pytest.approx(recorded["torch-fidelity"], rel=RELATIVE)
    in_splits = [classifier_score(part) for part in np.array_split(reference.softmax(logits), 10)]
    assert np.mean(in_splits) < recorded["torch-fidelity"] - 1e-3  # so that the number of splits matters


def test_a_slip_in_a_formula_would_show():
    # The control: the biased covariance, a kernel without its 1, and one neighbour more.
    real, fake = features("usual")
    recorded = RECORDED["cases"]["usual"]
    shrunk = np.sqrt((len(real) - 1) / len(real))
    wrong = frechet_distance(
        real.mean(0) + shrunk * (real - real.mean(0)), fake.mean(0) + shrunk * (fake - fake.mean(0))
    )
    assert wrong != pytest.approx(recorded["frechet"]["torch-fidelity"], rel=RELATIVE)
    assert _discrepancy(real - 1, fake - 1) != pytest.approx(recorded["kernel of all"]["torch-fidelity"], rel=RELATIVE)
    one_more = precision_recall(real, fake, neighbours=reference.NEIGHBOURS[0] + 1)
    assert one_more.recall != pytest.approx(recorded["neighbours"]["prdc"]["recall"], rel=RELATIVE)
