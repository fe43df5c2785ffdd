"""What a run leaves behind is read on the backend it was made on and on the other; nox runs this on both."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import kerasgan as kg

LOAD_WITH_KERAS_ALONE = """
import sys
sys.modules["kerasgan"] = None  # an import of it would fail
from pathlib import Path
import keras, numpy
run, images, out = Path(sys.argv[1]), *sys.argv[2:]
whole = keras.saving.load_model(run / "model.keras")
parts = keras.models.model_from_json((run / "model.json").read_text())
parts.load_weights(run / "model.weights.h5")
images = numpy.load(images)
numpy.savez(out, keras=whole.predict(images, verbose=0), json=parts.predict(images, verbose=0))
"""


@pytest.fixture(scope="module")
def images():
    return kg.data.load("digits", batch_size=28).test[0][0]


@pytest.fixture(params=["jax", "tensorflow"], ids=["made on jax", "made on tensorflow"])
def recorded(request, folders):
    folder = folders[request.param]
    # Of the backend that made the file not a bit may differ; two engines round differently.
    tolerance = 0 if request.param == keras.backend.backend() else 2e-6
    return folder / "run", np.load(folder / "predictions.npy"), tolerance


def test_a_process_that_knows_only_keras_predicts_the_same(recorded, images, tmp_path):
    run, predictions, tolerance = recorded
    np.save(tmp_path / "images.npy", images)
    arguments = [run, tmp_path / "images.npy", tmp_path / "out.npz"]
    subprocess.run([sys.executable, "-c", LOAD_WITH_KERAS_ALONE, *map(str, arguments)], check=True)
    loaded = np.load(tmp_path / "out.npz")
    assert set(loaded) == {"keras", "json"}
    for way in loaded:
        np.testing.assert_allclose(loaded[way], predictions, rtol=0, atol=tolerance, err_msg=way)


def test_predictions_of_another_picture_would_not_pass(recorded, images):
    run, predictions, tolerance = recorded
    others = keras.saving.load_model(run / "model.keras").predict(images[::-1], verbose=0)
    assert np.abs(others - predictions).max() > 100 * max(tolerance, 1e-6)
