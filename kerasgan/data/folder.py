"""Images from a folder: one sub-folder a class, or flat for images without labels."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasgan.data.arrays import Arrays
from kerasgan.data.errors import DataError, is_utf8
from kerasgan.data.files import folder_entries
from kerasgan.data.picture_files import PictureFiles
from kerasgan.data.pictures import SUFFIXES, read_pictures


def read_image_folder(folder: Path, *, stream: bool = False) -> Arrays:
    """Read every image in a folder, or, to stream them, every header.

    Files that are not named like images (`README.txt`) are passed over. Class names are those of the
    sub-folders, in alphabetical order. If any image has colour, grey ones become RGB.

    Args:
        folder: Holds images, or one sub-folder a class that holds them.
        stream: Whether to leave the pixels on the disk.

    Returns:
        Images, uint8, or `PictureFiles`; labels only where there are sub-folders.

    Raises:
        DataError: No images, images both inside and beside sub-folders, folders too deep, or an image that
            `read_pictures` refuses.
    """
    read = PictureFiles if stream else read_pictures
    flat, class_folders = _split_entries(folder)
    if flat and class_folders:
        raise DataError(
            f"{folder}: holds both images ({flat[0].name}) and folders ({class_folders[0].name}); "
            "use one sub-folder a class, or no sub-folder."
        )
    if flat:
        return Arrays(read(flat))
    if not class_folders:
        raise DataError(f"{folder}: holds no images ({', '.join(SUFFIXES)}) and no folders of images; add some.")
    paths: list[Path] = []
    labels: list[int] = []
    for label, class_folder in enumerate(class_folders):
        if not is_utf8(class_folder.name):  # It goes into files, and onto terminals.
            raise DataError(f"{class_folder}: its name is not UTF-8; rename it, for it is the name of a class.")
        images = _images_of_class(class_folder)
        paths += images
        labels += [label] * len(images)
    return Arrays(
        read(paths),
        np.array(labels, np.int32),
        class_names=tuple(class_folder.name for class_folder in class_folders),
    )


def _images_of_class(folder: Path) -> Sequence[Path]:
    images, deeper = _split_entries(folder)
    if deeper:
        raise DataError(
            f"{deeper[0]}: is a folder in a class folder; give the folder whose sub-folders are the classes."
        )
    if not images:
        raise DataError(f"{folder}: this class holds no images ({', '.join(SUFFIXES)}); add some or remove the folder.")
    return images


def _split_entries(folder: Path) -> tuple[list[Path], list[Path]]:
    images, folders = [], []
    for entry in folder_entries(folder):
        if entry.is_symlink() and os.path.isdir(entry):
            # It could lead back up, or out of a folder that came from somebody else's archive.
            raise DataError(f"{entry}: is a symbolic link to a folder; put the folder itself there.")
        if entry.is_symlink() and not os.path.exists(entry):
            raise DataError(f"{entry}: is a symbolic link that leads nowhere; put the folder or file itself there.")
        if entry.is_dir():
            folders.append(entry)
        elif entry.suffix.lower() in SUFFIXES:
            images.append(entry)
    return images, folders
