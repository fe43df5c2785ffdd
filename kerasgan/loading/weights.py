"""Which HDF5 files of weights Keras may read: those whose numbers all lie in the file itself, once each."""

import math
from collections.abc import Iterator
from io import RawIOBase
from typing import IO, Any

from kerasgan.loading.sizes import first_line
from kerasgan.loading.trust import TrustError, shown

MAX_OBJECTS = 100_000  # Groups and arrays; a network of two thousand layers, compiled, has thirty thousand.
MAX_DEPTH = 100


def numbers_in(file: IO[bytes] | RawIOBase, source: str) -> int:
    """Count the numbers in a file of weights, having made sure that reading it takes no more memory than it has bytes.

    HDF5 can point to other files, by links, by virtual arrays and by arrays whose values lie elsewhere; and it can
    promise arrays of any size in a few bytes. None of that is what Keras writes. What this cannot tell: whether the
    HDF5 library itself, which is written in C, has a fault that a file can use.

    Args:
        file: Opened for reading bytes.
        source: What to call it in an error, such as its path.

    Raises:
        TrustError: It is damaged, no file of weights, or has any of that.
    """
    import h5py

    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    numbers = stored = 0
    try:
        with h5py.File(file, "r") as content:
            if "model_config" in content.attrs or "layer_names" in content.attrs:
                raise TrustError(
                    f"{source}: is in the HDF5 format of older versions of Keras; load it where it was made and save "
                    "it as .keras."
                )
            for place, array in _arrays(h5py, content, source):
                _check_array(array, f"{source}: {place}")
                numbers += math.prod(array.shape)
                stored += array.id.get_storage_size()
                if stored > size:
                    raise TrustError(
                        f"{source}: promises {stored:,} bytes and has {size:,}, some of them twice; fetch it again."
                    )
    except TrustError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, NotImplementedError) as error:
        raise TrustError(f"{source}: is damaged ({first_line(error)}); fetch it again.") from error
    return numbers


def _arrays(h5py: Any, content: Any, source: str) -> Iterator[tuple[str, Any]]:
    """Yield all arrays with their places; refuse links to anything that does not lie in the group itself."""
    seen: set[int] = set()
    groups = [("", content, 0)]
    while groups:
        path, group, depth = groups.pop()
        for name in group:
            place = f"{path}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = {"ExternalLink": "a link to another file", "SoftLink": "a link to another place"}
                what = kind.get(type(link).__name__, "a link of an unknown kind")
                raise TrustError(f"{source}: {shown(place)} is {what}; weights must lie in the file.")
            item = group[name]
            seen_before = len(seen)
            seen.add(h5py.h5o.get_info(item.id).addr)
            if len(seen) == seen_before:
                raise TrustError(f"{source}: {shown(place)} is there under another name too; Keras writes it once.")
            if len(seen) > MAX_OBJECTS or depth > MAX_DEPTH:
                raise TrustError(f"{source}: has more groups and arrays than any network; fetch it again.")
            if isinstance(item, h5py.Group):
                groups.append((place, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield shown(place), item
            else:
                raise TrustError(f"{source}: {shown(place)} is neither a group nor an array; fetch it again.")


def _check_array(array: Any, place: str) -> None:
    # bfloat16, which HDF5 does not know, is two bytes of no type.
    of_numbers = array.dtype.kind in "biuf" or (array.dtype.str == "|V2" and array.dtype.fields is None)
    if not of_numbers or array.shape is None:
        raise TrustError(f"{place} is not an array of numbers; fetch the file again.")
    if array.external or array.is_virtual:
        raise TrustError(f"{place} has its values in another file; weights must lie in the file itself.")
    if array.id.get_storage_size() < array.nbytes:
        raise TrustError(
            f"{place} promises {array.nbytes:,} bytes and holds {array.id.get_storage_size():,}; Keras writes weights "
            "uncompressed, so save it again with Keras."
        )
