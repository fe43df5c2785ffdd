"""What a trainer refuses on two devices, each in one line that says how to mend it."""

import re
from typing import Any

import pytest

from tests.distribution.conftest import Children

SAID = {
    "batch": "batch_size is 15, which 2 devices cannot share evenly; choose a multiple of 2, such as 16.",
    "arrays": "batch_size is 15, which 2 devices cannot share evenly; choose a multiple of 2, such as 16.",
    "last batch": "the last batch of an epoch has 1 images, which 2 devices cannot share evenly; leave it out "
    "(drop_remainder=True of kg.data), or choose another batch_size.",
}
SAID["last batch of arrays"] = SAID["last batch"]


@pytest.fixture(scope="module")
def said(children: Children) -> dict[str, Any]:
    child = children.start([{"task": "refusals"}], devices=2)
    assert child.wait() == 0, child.said
    return dict(child.results()[0])


@pytest.mark.parametrize("case", SAID)
def test_what_two_devices_cannot_do_is_refused(said: dict[str, Any], case: str) -> None:
    assert said[case] == SAID[case]


@pytest.mark.parametrize("case", ["early", "early to validate"])
def test_a_module_that_was_built_before_the_trainer_is_refused(said: dict[str, Any], case: str) -> None:
    assert re.fullmatch(
        r"GAN was built before the distribution was set \(its \S+ lies elsewhere\); make the Trainer first and the "
        r"module after it\.",
        said[case],
    )


@pytest.mark.parametrize(("case", "value"), [("word", "'all'"), ("thing", "2")])
def test_what_is_no_distribution_is_refused(said: dict[str, Any], case: str, value: str) -> None:
    assert value in said[case]
    assert 'choose "auto", "data_parallel" or ' in said[case]
