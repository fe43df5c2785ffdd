import ast
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasgan.data
from kerasgan.data import DataError, load


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def fail():
        raise Exception("URL fetch failure on https://somewhere:\n no network")  # What Keras raises.

    monkeypatch.delenv("KERASGAN_DATA_DIR", raising=False)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", fail)


def test_digits_are_the_same_fixed_stratified_split_on_every_call():
    data, again = load("digits", seed=1), load("digits", seed=2)
    assert data.image_shape == (28, 28, 1) and data.class_names == tuple("0123456789")
    assert (data.train.num_examples, data.test.num_examples) == (1500, 297)
    assert data.fingerprint() == again.fingerprint()
    counts = np.bincount(data.test.labels)
    assert counts.min() >= 29 and counts.max() <= 30
    assert data.train.images.min() == 0 and data.train.images.max() == 255


@pytest.mark.parametrize("folder", [".", "fashion_mnist", "fashion-mnist"])
@pytest.mark.parametrize("name", ["fashion_mnist", "fashion-mnist"])
def test_idx_files_are_found_in_data_dir_and_in_its_sub_folder(tmp_path, write_idx_folder, name, folder):
    write_idx_folder(tmp_path / folder)
    data = load(name, data_dir=tmp_path, batch_size=4)
    assert data.name == "fashion_mnist" and data.class_names[0] == "T-shirt/top" and data.num_classes == 10
    assert (data.train.num_examples, data.test.num_examples) == (20, 10)


@pytest.mark.parametrize("folder", [".", "mnist"])
def test_the_environment_variable_stands_in_for_data_dir(tmp_path, write_idx_folder, monkeypatch, folder):
    write_idx_folder(tmp_path / folder)
    monkeypatch.setenv("KERASGAN_DATA_DIR", str(tmp_path))
    assert load("mnist", batch_size=4).class_names == tuple("0123456789")


def test_the_sub_folder_goes_before_files_beside_it(tmp_path, write_idx_folder):
    write_idx_folder(tmp_path)
    for file in tmp_path.glob("t10k-*"):
        file.unlink()
    write_idx_folder(tmp_path / "mnist")
    assert load("mnist", data_dir=tmp_path, batch_size=4).test is not None


def test_a_folder_of_idx_files_can_be_given_as_a_path(tmp_path, write_idx_folder):
    data = load(write_idx_folder(tmp_path / "letters", compressed=False), batch_size=4)
    assert data.name == "letters" and data.num_classes == 10


def test_the_folder_of_another_data_set_is_not_taken_for_it(tmp_path, write_idx_folder):
    write_idx_folder(tmp_path / "mnist")
    with pytest.raises(DataError, match="holds mnist, but fashion_mnist was asked for"):
        load("fashion_mnist", data_dir=tmp_path / "mnist")


@pytest.mark.parametrize("variable", [True, False])
def test_a_folder_without_the_files_is_an_error_and_no_download(tmp_path, monkeypatch, variable):
    (tmp_path / "mnist").mkdir()
    if variable:
        monkeypatch.setenv("KERASGAN_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=r"holds no IDX files of mnist.*unset"):
        load("mnist", data_dir=None if variable else tmp_path)
    with pytest.raises(DataError, match="data_dir names no folder"):
        load("mnist", data_dir=tmp_path / "missing")


def test_a_failed_download_says_what_to_do_in_one_line():
    with pytest.raises(DataError, match=r"could not download.*pass data_dir, or set KERASGAN_DATA_DIR") as caught:
        load("mnist")
    assert "\n" not in str(caught.value)


def test_a_download_is_used_when_no_folder_is_named(monkeypatch, images, labels):
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: ((images, labels), (images[:4], labels[:4])))
    data = load("fashion_mnist", batch_size=4)
    assert data.class_names[9] == "Ankle boot" and data.test.num_examples == 4


def test_labels_beyond_the_classes_of_a_known_name_are_refused(monkeypatch, images, labels):
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: ((images, labels + 1), (images, labels)))
    with pytest.raises(DataError, match=r"mnist train: label 10 lies outside 0\.\.9"):
        load("mnist")


@pytest.mark.parametrize("name", ["cifra", "", "no/such/folder", "x" * 5000, "a\0b"])
def test_a_name_that_is_nothing_lists_the_known_names(name):
    with pytest.raises(DataError, match=r"digits, mnist, fashion_mnist|cannot be looked at"):
        load(name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("1,2")
    with pytest.raises(DataError, match=r"is not an \.npz file or a folder"):
        load(path)


def test_importing_loads_no_backend_and_nothing_slow():
    allowed = {*sys.stdlib_module_names, "keras", "kerasgan", "numpy"}
    files = list(Path(kerasgan.data.__file__).parent.glob("*.py"))
    assert files
    for file in files:
        for node in ast.parse(file.read_text()).body:  # What functions import later does not count.
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                assert {name.partition(".")[0] for name in names} <= allowed, file.name
