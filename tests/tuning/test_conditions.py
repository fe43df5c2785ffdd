import numpy as np
import pytest

import kerasgan as kg
from kerasgan.testing import tiny_images
from kerasgan.tuning.conditions import Conditions


@pytest.fixture
def data():
    images = ((tiny_images(80) + 1) * 127.5).astype("uint8")
    return kg.data.DataModule(images, np.arange(80) % 2, batch_size=16, val_size=16)


@pytest.mark.parametrize(("limit", "steps"), [(None, 8), (3, 6), (100, 8), (0.5, 4), (0.01, 2)])
def test_steps_are_those_that_the_trainer_takes(data, limit, steps):
    assert Conditions(limit_train_batches=limit).steps(data, 2) == steps
    assert Conditions(limit_train_batches=limit, fast_dev_run=True).steps(data, 2) == 2


def test_a_study_remembers_what_makes_trials_comparable(data):
    conditions = Conditions(network="dense", epochs=2, val_size=16, augment=("shift",))
    assert conditions.on(data) == {
        "network": "dense",
        "epochs": 2,
        "seed": 0,
        "val_size": 16,
        "precision": "float32",
        "limit_train_batches": None,
        "augment": ["shift"],
        "data": f"images {data.fingerprint()[:12]}",
    }


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ({"network": "transformer"}, "network is 'transformer'; choose one of convnet, dense."),
        ({"precision": "float8"}, "precision is 'float8'; choose one of float32, mixed_bfloat16, mixed_float16."),
        ({"epochs": 0}, "epochs is 0; choose a positive number."),
        ({"val_size": 0}, "val_size is 0; choose a positive number."),
        ({"limit_train_batches": -1}, "limit_train_batches is -1; choose a positive number."),
        ({"seed": -1}, "seed is -1; choose a whole number of at least 0."),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_named(option, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        Conditions(**option)
