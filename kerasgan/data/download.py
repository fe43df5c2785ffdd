"""Keras's own download, with one clear line when it fails."""

import keras

from kerasgan.data.arrays import Arrays
from kerasgan.data.errors import DataError


def download(name: str) -> Arrays:
    """Get a data set through `keras.datasets`, which caches it in Keras's home folder.

    Args:
        name: A module of `keras.datasets`, such as `mnist`.

    Returns:
        Its train and test arrays.

    Raises:
        DataError: It could not be downloaded, or what arrived is damaged.
    """
    try:
        (images, labels), (test_images, test_labels) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Not narrower: Keras raises a bare Exception when a download fails.
        raise DataError(
            f"{name}: Keras could not download it ({error}); pass data_dir, or set KERASGAN_DATA_DIR, "
            "to a folder with its IDX files."
        ) from error
    return Arrays(images, labels, test_images, test_labels)
