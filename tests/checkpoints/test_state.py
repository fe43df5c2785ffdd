import functools

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.checkpoints import StateError, capture, named_variables, restore, restore_means
from kerasgan.testing import ThreePlayers, tiny_gan, tiny_images

IMAGES = tiny_images(16)


@functools.cache
def trained():
    """A GAN that was trained for two steps, to be looked at only: all tests share it."""
    gan = tiny_gan()
    gan.fit(IMAGES, batch_size=8, verbose=0)
    return gan


def test_names_go_by_role_and_order_and_cover_every_variable_once():
    gan = trained()
    named = named_variables(gan)
    roles = {name.rpartition("/")[0] for name in named}
    assert roles == {
        "player/generator", "player/discriminator", "optimizer/generator", "optimizer/discriminator",
        "optimizer/model", "seed", "metric",
    }  # fmt: skip
    everything = [*gan.variables, *gan.optimizer.variables, *gan.metrics_variables]
    assert sorted(map(id, named.values())) == sorted({id(v) for v in everything})


def test_names_do_not_depend_on_how_many_models_were_built_before():
    assert list(named_variables(tiny_gan())) == list(named_variables(tiny_gan()))


def test_restoring_brings_back_every_value():
    gan = trained()
    other = tiny_gan()
    restore(other, capture(gan))
    for name, value in capture(gan).items():
        if not name.startswith("metric/"):
            np.testing.assert_array_equal(capture(other)[name], value, err_msg=name)


def test_running_means_are_restored_apart_since_an_epoch_begins_without_them():
    gan, other = trained(), tiny_gan()
    restore(other, capture(gan))
    assert not capture(other)["metric/0000"].any()
    restore_means(other, capture(gan))
    np.testing.assert_array_equal(capture(other)["metric/0000"], capture(gan)["metric/0000"])


def test_a_stock_model_whose_metrics_are_not_built_yet_is_restored():
    def model():
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        network.compile("adam", "mse", metrics=["mae"])
        return network

    one, other = model(), model()
    one.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    restore(other, capture(one))
    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])


def test_a_stock_keras_model_is_captured_too():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert {name.split("/")[0] for name in capture(model)} == {"model", "optimizer", "seed", "metric"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.pop("seed/0000"), "1 arrays are missing, such as seed/0000"),
        (lambda s: s.update({"seed/0009": np.zeros(2, "uint32")}), "1 arrays are left over, such as seed/0009"),
        (lambda s: s.update({"player/generator/0000": np.zeros((2, 2), "float32")}), r"shape \(2, 2\), the model has"),
        (lambda s: s.update({"player/generator/0000": np.zeros((4, 16), "float64")}), "saved as float64"),
        (lambda s: s.update({"player/generator/0000": np.full((4, 16), np.nan, "float32")}), "holds a NaN"),
        (lambda s: s.update({"optimizer/model/0000": np.int64(2**60)}), "does not fit the model's"),
    ],
    ids=["missing", "extra", "shape", "dtype", "nan", "range"],
)
def test_a_state_that_does_not_fit_changes_nothing(change, complaint):
    gan, wrong = tiny_gan(), capture(trained())
    change(wrong)
    if "optimizer/model/0000" in wrong and wrong["optimizer/model/0000"] == 2**60 and keras.backend.backend() != "jax":
        wrong["optimizer/model/0000"] = np.uint64(2**63 + 1)  # TensorFlow counts in 64 bits
    before = capture(gan)
    with pytest.raises(StateError, match=complaint):
        restore(gan, wrong)
    for name, value in before.items():
        np.testing.assert_array_equal(capture(gan)[name], value, err_msg=name)


def test_integers_of_another_width_are_taken_where_they_fit():
    gan, saved = tiny_gan(), capture(trained())
    wide = {n: v.astype("int64") if v.dtype.kind in "iu" else v for n, v in saved.items()}
    restore(gan, wide)
    assert gan.global_step == 2


def test_another_modules_state_is_refused():
    with pytest.raises(StateError, match="of another model"):
        restore(ThreePlayers(), capture(trained()))


def test_a_state_survives_the_store(tmp_path):
    gan, store = trained(), kg.checkpoints.CheckpointStore(tmp_path / "checkpoints")
    store.save(gan.global_step, capture(gan), {})
    other = tiny_gan()
    restore(other, store.load().arrays)
    np.testing.assert_array_equal(other.generate(2, seed=0), gan.generate(2, seed=0))
