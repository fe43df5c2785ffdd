"""IDX, the format of MNIST: a magic number, big-endian sizes, then bytes.

Nothing is believed before it is checked: the sizes in a header are held against the bytes that are really
there before memory is taken for them.
"""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from kerasgan.data.arrays import Pixels
from kerasgan.data.errors import DataError
from kerasgan.data.files import MAX_DEFLATE_RATIO, refuse_bomb, regular_file

_UNSIGNED_BYTE = 0x08
_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_Stream = gzip.GzipFile | io.BufferedReader


def read_idx(path: Path, rank: int) -> Pixels:
    """Read one IDX file of unsigned bytes.

    Args:
        path: The file; compressed if, and only if, its name ends in `.gz`.
        rank: Number of dimensions: 3 for images, 1 for labels.

    Returns:
        The array, with the sizes its header gives.

    Raises:
        DataError: The file is not that, is damaged, or is shorter or longer than its header says.
    """
    size = regular_file(path)
    compressed = path.suffix == ".gz"
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            shape = _read_header(stream, rank, path)
            promised = math.prod(shape)
            most = size * MAX_DEFLATE_RATIO if compressed else size - _header_bytes(rank)
            if promised > most:
                raise DataError(
                    f"{path}: truncated; its header promises {promised:,} bytes, the file holds at most "
                    f"{max(most, 0):,}; copy or download it again."
                )
            if compressed:
                refuse_bomb(path, size, promised)
            # One byte more than promised shows that bytes trail, and bounds what a gzip bomb inflates to.
            content = _read_at_most(stream, promised + 1)
    except gzip.BadGzipFile as error:
        raise DataError(f"{path}: is not valid gzip ({error}); compress it with gzip, or drop .gz.") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip ({error}); copy or download it again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions and the disk.") from error
    if len(content) < promised:
        raise DataError(
            f"{path}: truncated; its header promises {promised:,} bytes, {len(content):,} follow; "
            "copy or download it again."
        )
    if len(content) > promised:
        raise DataError(
            f"{path}: bytes trail after the {promised:,} that its header promises; copy or download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _header_bytes(rank: int) -> int:
    return 4 + 4 * rank


def _read_header(stream: _Stream, rank: int, path: Path) -> tuple[int, ...]:
    header = stream.read(_header_bytes(rank))
    if header[:2] == _GZIP_MAGIC:
        raise DataError(f"{path}: is gzip under a plain name; rename it to {path.name}.gz.")
    expected = bytes([0, 0, _UNSIGNED_BYTE, rank])
    if header[:4] != expected[: len(header)]:
        raise DataError(
            f"{path}: starts with 0x{header[:4].hex()}; "
            f"an IDX file of unsigned bytes with {rank} dimension(s) starts with 0x{expected.hex()}."
        )
    if len(header) < _header_bytes(rank):
        raise DataError(
            f"{path}: truncated; its header has {len(header)} of {_header_bytes(rank)} bytes; "
            "copy or download it again."
        )
    shape = tuple(int(size) for size in np.frombuffer(header[4:], ">u4"))
    if 0 in shape:
        raise DataError(f"{path}: its header gives sizes {shape}; every size must be >= 1.")
    return shape


def _read_at_most(stream: _Stream, count: int) -> bytearray:
    # In chunks: a single read(count) takes memory for what the header promises, not for what is there.
    content = bytearray()
    while len(content) < count:
        chunk = stream.read(min(_CHUNK, count - len(content)))
        if not chunk:
            break
        content += chunk
    return content
