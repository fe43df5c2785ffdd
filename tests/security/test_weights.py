"""HDF5 files of weights that point elsewhere, or promise more than they hold."""

import re

import h5py
import keras
import numpy as np
import pytest

import kerasgan as kg

PLACE = "layers/dense/vars"


@pytest.fixture
def elsewhere(tmp_path):
    """The path of another file of weights, which is nobody's business."""
    path = tmp_path / "elsewhere.h5"
    with h5py.File(path, "w") as file:
        file["secret"] = np.full((64, 2), 7.0, "float32")
    return path


@pytest.fixture
def refused(archive, parts, config, growth):
    """Bring weights in through both doors; see them refused for a reason, and no memory taken."""

    def through(weights, complaint):
        def attempt():
            for path in (archive(config, weights), parts(config, weights)):
                with pytest.raises(kg.TrustError, match=re.escape(complaint)) as info:
                    kg.load_network(path, trust=True)
                assert "\n" not in str(info.value) and "weights.h5" in str(info.value)

        assert growth(attempt) < 200

    return through


def with_array(write):
    """Fill a file as Keras would, but for the kernel, which `write(group)` adds."""

    def fill(file):
        group = file.create_group(PLACE)
        group["1"] = np.zeros(2, "float32")
        write(group)

    return fill


def test_the_same_file_without_an_attack_is_read(hdf5, archive, config):
    weights = hdf5(with_array(lambda group: group.create_dataset("0", data=np.full((64, 2), 7.0, "float32"))))
    loaded = kg.load_network(archive(config, weights), trust=True)
    np.testing.assert_array_equal(loaded.get_weights()[0], np.full((64, 2), 7.0))


def test_links_to_other_files_and_places_are_refused(hdf5, refused, elsewhere, tmp_path):
    def link(group):
        group["0"] = h5py.ExternalLink(str(elsewhere), "secret")

    weights = hdf5(with_array(link))
    (tmp_path / "live.h5").write_bytes(weights)
    with h5py.File(tmp_path / "live.h5") as file:
        assert file[PLACE]["0"][0, 0] == 7.0  # the link is live
    refused(weights, "'/layers/dense/vars/0' is a link to another file")

    def soft(group):
        group["0"] = h5py.SoftLink("/layers/dense/vars/1")

    refused(hdf5(with_array(soft)), "is a link to another place")


def test_a_group_behind_a_link_is_refused(hdf5, refused, elsewhere):
    def fill(file):
        file.create_group("layers")
        file["layers/dense"] = h5py.ExternalLink(str(elsewhere), "/")

    refused(hdf5(fill), "'/layers/dense' is a link to another file")


def test_arrays_with_values_in_other_files_are_refused(hdf5, refused, elsewhere, canary):
    def outside(group):
        group.create_dataset("0", (64, 2), "uint8", external=[(str(canary), 0, h5py.h5f.UNLIMITED)])

    refused(hdf5(with_array(outside)), "has its values in another file")

    def virtual(group):
        layout = h5py.VirtualLayout((64, 2), "float32")
        layout[:] = h5py.VirtualSource(str(elsewhere), "secret", (64, 2))
        group.create_virtual_dataset("0", layout)

    refused(hdf5(with_array(virtual)), "has its values in another file")


def test_arrays_that_promise_more_than_they_hold_are_refused(hdf5, refused):
    def packed(group):
        group.create_dataset("0", (2**40,), "float32", chunks=(2**20,), compression="gzip")

    refused(hdf5(with_array(packed)), "promises 4,398,046,511,104 bytes and holds 0")

    def late(group):
        group.create_dataset("0", (2**34,), "float32")

    refused(hdf5(with_array(late)), "promises 68,719,476,736 bytes and holds 0")


def test_one_array_under_many_names_is_refused(hdf5, refused):
    def fill(file):
        file["a"] = np.zeros(1000)
        file["b"] = file["a"]

    refused(hdf5(fill), "'/b' is there under another name too")

    def circle(file):
        file.create_group("a")["b"] = file["/"]

    refused(hdf5(circle), "is there under another name too")


def test_what_is_no_array_of_numbers_is_refused(hdf5, refused):
    def texts(group):
        group["0"] = ["a", "b"]

    def references(group):
        group["0"] = np.array([group.ref], dtype=h5py.ref_dtype)

    def records(group):
        group["0"] = np.zeros(3, [("a", "f4"), ("b", "i4")])

    def empty(group):
        group["0"] = h5py.Empty("f4")

    for write in (texts, references, records, empty):
        refused(hdf5(with_array(write)), "is not an array of numbers")

    def kind(file):
        file["type"] = np.dtype("f4")

    refused(hdf5(kind), "is neither a group nor an array")


def test_whole_models_of_older_versions_are_refused(hdf5, refused):
    def fill(file):
        file.attrs["model_config"] = '{"class_name": "Lambda"}'

    refused(hdf5(fill), "is in the HDF5 format of older versions of Keras")


def test_damage_is_one_line(hdf5, refused, weights):
    refused(b"", "is damaged")
    refused(b"\x89HDF\r\n\x1a\n" + bytes(100), "is damaged")
    refused(weights[: len(weights) // 2], "is damaged")
    other = hdf5(with_array(lambda group: group.create_dataset("0", data=np.zeros((2, 64), "float32"))))
    with pytest.raises(AssertionError):  # `refused` objects to weights that are not refused for the reason given
        refused(other, "is damaged")


def test_weights_of_another_network_are_one_line(hdf5, archive, parts, config):
    weights = hdf5(with_array(lambda group: group.create_dataset("0", data=np.zeros((2, 64), "float32"))))
    for path in (archive(config, weights), parts(config, weights)):
        with pytest.raises(kg.TrustError, match="Keras cannot load it: ") as info:
            kg.load_network(path, trust=True)
        assert "\n" not in str(info.value)


def test_bfloat16_and_optimizers_are_read(tmp_path):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="bfloat16")])
    network.compile("adam", "mse")
    network.fit(np.zeros((2, 4)), np.zeros((2, 3)), verbose=0)
    network.save(tmp_path / "b.keras")
    loaded = kg.load_network(tmp_path / "b.keras", trust=True)
    np.testing.assert_array_equal(loaded.get_weights()[0], network.get_weights()[0])
