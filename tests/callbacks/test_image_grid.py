import keras
import numpy as np
import pytest
from PIL import Image

from kerasgan.callbacks import ImageGrid, grid


def test_every_epoch_gets_a_picture_of_the_same_latents(fit, model, tmp_path):
    fit([ImageGrid(tmp_path, count=9, seed=7)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0001.png", "epoch-0002.png"]
    assert model.asked == [(9, 7), (9, 7)]
    with Image.open(tmp_path / "epoch-0002.png") as image:
        np.testing.assert_array_equal(np.asarray(image), grid(model.generate(9, 7))[..., 0])


def test_every_second_epoch_means_the_second_and_the_fourth(fit, tmp_path):
    fit([ImageGrid(tmp_path, count=4, every_n_epochs=2)], epochs=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0002.png", "epoch-0004.png"]


def test_a_model_that_generates_nothing_is_refused_before_the_first_step(data, tmp_path):
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(TypeError, match=r"Sequential has no method generate\(count, seed=\.\.\.\)"):
        model.fit(*data, verbose=0, callbacks=[ImageGrid(tmp_path)])
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0


@pytest.mark.parametrize("option", ["count", "every_n_epochs"])
def test_counts_must_be_positive(option):
    with pytest.raises(ValueError, match=f"{option} is 0"):
        ImageGrid("samples", **{option: 0})
