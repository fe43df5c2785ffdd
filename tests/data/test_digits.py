import sys

import numpy as np
import pytest

from kerasgan.data import digits


def test_the_split_is_the_one_that_scikit_learn_makes():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    labels = load_digits().target.astype("int32")
    train, test = train_test_split(np.arange(len(labels)), test_size=297, stratify=labels, random_state=0)
    arrays = digits.read_digits()
    np.testing.assert_array_equal(arrays.labels, labels[np.sort(train)])
    np.testing.assert_array_equal(arrays.test_labels, labels[np.sort(test)])


def test_digits_are_the_same_where_a_release_keeps_its_file_elsewhere(monkeypatch):
    table = digits._read_table()
    monkeypatch.setattr(digits, "_FILE", "datasets/data/not-there.csv.gz")
    np.testing.assert_array_equal(digits._read_table(), table)
    assert table.shape == (1797, 65)


def test_digits_are_read_without_the_import_of_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert len(digits.read_digits().images) == 1500
    # The control: where the file is not found, the import is what is left.
    monkeypatch.setattr(digits, "_FILE", "not-there")
    with pytest.raises(ImportError, match="sklearn"):
        digits.read_digits()
