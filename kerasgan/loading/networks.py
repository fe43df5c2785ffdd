"""Networks that others have saved: looked at from end to end before Keras reads them."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import keras

from kerasgan.loading.sizes import check_size, first_line
from kerasgan.loading.trust import MAX_JSON_BYTES, TrustError, check_config, parse_json, read_json, shown
from kerasgan.loading.weights import numbers_in

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
# What zipfile may read at once: a configuration, and its table of contents, which takes ten times that in memory.
MAX_READ = MAX_JSON_BYTES
LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, length of the name, length of what follows it


def load_network(path: str | Path, *, trust: bool = False) -> Any:
    """Load a network that may come from anywhere, if it is made of harmless parts.

    A `.keras` file, or the `.json` file of an architecture with its `.weights.h5` beside it. What it names must be a
    stock layer or a class that this process has registered; nothing that it brings along is run; it declares no more
    weights than it holds, and holds them itself. That goes for any file, trusted or not.

    Trusting means to believe what cannot be checked: that it was trained for what its owner says; that it takes no
    more time and memory than you have for what flows through it; that HDF5's C library reads it without a fault.

    Args:
        path: The file.
        trust: Whether you trust the one who made it.

    Returns:
        The network, not compiled.

    Raises:
        TrustError: `trust` is False; or the file is missing, damaged, or has what no file may have.

    Example:
        >>> network = kg.load_network("downloads/model.keras", trust=True)
    """
    path = Path(path)
    if not path.is_file():
        raise TrustError(f"{path}: {'is not a file' if path.exists() else 'is missing'}; name a .keras file.")
    if path.suffix in (".h5", ".hdf5") and not path.name.endswith(".weights.h5"):
        raise TrustError(
            f"{path}: is a whole model in the HDF5 format of older versions of Keras, which may hold code; have it "
            "saved again as .keras."
        )
    if path.suffix not in (".keras", ".json"):
        raise TrustError(f"{path}: is no network; name a .keras file, or a .json file with its .weights.h5 beside it.")
    if not trust:
        raise TrustError(
            f"{path}: comes from elsewhere; only stock layers are built and no code of it is run, but what it has "
            "learned, and what time and memory it takes, are its maker's: trust=True (--trust) if you know them."
        )
    return _from_archive(path) if path.suffix == ".keras" else _from_parts(path)


def _from_archive(path: Path) -> Any:
    try:
        with _SparingReader(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
            members = _checked_members(archive, path)
            config = parse_json(archive.read(members[CONFIG]), f"{path}: {CONFIG}")
            held = numbers_in(_Window(file, *_extent(file, archive, members[WEIGHTS])), f"{path}: {WEIGHTS}")
    except TrustError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        raise TrustError(f"{path}: is damaged, or no .keras file ({first_line(error)}); fetch it again.") from error
    own = check_config(config, f"{path}: {CONFIG}")
    check_size(config, held, str(path), own=own)
    return _network(path, lambda: keras.saving.load_model(path, compile=False, safe_mode=True))


def _from_parts(path: Path) -> Any:
    config = {**read_json(path), "compile_config": None}
    weights = path.with_name(f"{path.stem}.weights.h5")
    if not weights.is_file():
        raise TrustError(f"{weights}: is not there, and {path.name} is the architecture alone; put it beside.")
    own = check_config(config, str(path))
    with open(weights, "rb") as file:
        check_size(config, numbers_in(file, str(weights)), str(path), own=own)

    def load() -> Any:
        network = keras.saving.deserialize_keras_object(config)
        network.load_weights(weights)
        return network

    return _network(path, load)


def _network(path: Path, load: Any) -> Any:
    try:
        network = load()
    except Exception as error:  # whatever Keras and a backend make of a file that nobody vouches for
        raise TrustError(f"{path}: Keras cannot load it: {first_line(error)}") from error
    if not isinstance(network, keras.Model):
        raise TrustError(f"{path}: holds a {type(network).__name__}, not a network; name another file.")
    return network


def _checked_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name; they are the three that Keras writes, once each, and as they are."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        if name not in (CONFIG, WEIGHTS, METADATA):
            raise TrustError(
                f"{path}: holds {shown(name)}, which no network of stock layers needs; have it saved again."
            )
        if name in members:
            raise TrustError(f"{path}: holds {name} twice; fetch it again.")
        if member.flag_bits & 1:
            raise TrustError(f"{path}: {name} is encrypted; have it saved again without a password.")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise TrustError(f"{path}: {name} is compressed, which Keras never does; have it saved again with Keras.")
        if name != WEIGHTS and member.file_size > MAX_JSON_BYTES:
            raise TrustError(f"{path}: {name} has {member.file_size:,} bytes; at most {MAX_JSON_BYTES:,} are read.")
        members[name] = member
    if missing := {CONFIG, WEIGHTS} - members.keys():
        raise TrustError(f"{path}: lacks {min(missing)}; fetch it again.")
    return members


def _extent(file: BinaryIO, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, int]:
    """Return where the bytes of a stored member begin and end."""
    archive.open(member).close()  # which holds the header of the member against the table of contents
    file.seek(member.header_offset)
    _, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    start = member.header_offset + LOCAL_HEADER.size + name + extra
    end = start + member.file_size
    if end > file.seek(0, 2):
        raise EOFError(f"{member.filename} ends before its {member.file_size:,} bytes")
    return start, end


class _SparingReader(io.BufferedReader):
    """A file that gives out no more than `MAX_READ` bytes at once, or all that is left if that is not more."""

    def read(self, size: int | None = -1, /) -> bytes:
        asked = MAX_READ + 1 if size is None or size < 0 else size
        data = super().read(asked) if asked <= MAX_READ + 1 else None
        if data is None or len(data) > MAX_READ:
            raise zipfile.BadZipFile(f"its table of contents has more than {MAX_READ:,} bytes")
        return data


class _Window(io.RawIOBase):
    """A part of a file as a file of its own: HDF5 looks here and there, and need not read it all."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        super().__init__()
        self._file, self._start, self._length, self._position = file, start, end - start, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._position = offset + (0, self._position, self._length)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        self._file.seek(self._start + self._position)
        wanted = max(0, min(len(buffer), self._length - self._position))
        done = self._file.readinto(memoryview(buffer)[:wanted])  # type: ignore[attr-defined]
        self._position += done
        return done
