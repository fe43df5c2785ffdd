"""What a model file from elsewhere may ask for: the classes it may name, and how large and deep it may be.

Keras makes objects of whatever a configuration names, and some classes run code that the file brings along or read
files that it names. So a configuration is looked at before Keras sees it, and one that names anything else than what
allowed.py lists is refused, whatever `safe_mode` or `keras.config.enable_unsafe_deserialization` say.
"""

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from kerasgan.checkpoints.files import read_file
from kerasgan.loading.allowed import (
    DTYPES,
    FUNCTIONS,
    NO_FUNCTIONS,
    PRIVATE,
    REFUSED,
    REFUSED_CLASSES,
    REPEATING,
    STOCK,
    VALUES,
)

# A run of twelve hundred layers writes as much; JSON takes up to thirty times its bytes in memory.
MAX_JSON_BYTES = 4 * 2**20
MAX_DEPTH = 100  # A network within a network adds four.
MAX_LAYERS = 2000
MAX_METRICS = 100
PARTS = ("layers", "parts")
# Calls of layers, initializers and so on: networks within networks, each called twice, would double them every time.
MAX_CALLS = 2**17
# Largest whole number that an argument may be. Layers are measured besides, see sizes.py; metrics make tables.
MAX_NUMBER = {keras.metrics.Metric: 2**10, keras.Operation: 2**24}


class TrustError(ValueError):
    """A model file asks for what no file may have; one line that names the file, the place in it and the reason."""


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object from a file that may hold anything.

    Raises:
        TrustError: It is missing, no file, too large, no JSON, or another thing than an object.
    """
    try:
        data = read_file(Path(path), MAX_JSON_BYTES)
    except (OSError, ValueError) as error:
        raise TrustError(f"{path}: {error}; name a file of at most {MAX_JSON_BYTES:,} bytes.") from error
    return parse_json(data, str(path))


def parse_json(data: bytes, source: str) -> dict[str, Any]:
    """Turn at most `MAX_JSON_BYTES` into a JSON object that is not nested too deep.

    Raises:
        TrustError: They hold something else.
    """
    if len(data) > MAX_JSON_BYTES:
        raise TrustError(f"{source}: has {len(data):,} bytes; at most {MAX_JSON_BYTES:,} are read.")
    try:
        content = json.loads(data)
        deque(_dictionaries(content, source), maxlen=0)
    except RecursionError as error:
        raise TrustError(f"{source}: is nested too deep; at most {MAX_DEPTH} levels are read.") from error
    except ValueError as error:
        raise TrustError(f"{source}: is damaged, it is not JSON ({shown(str(error))}); fetch it again.") from error
    if not isinstance(content, dict):
        raise TrustError(f"{source}: holds a {type(content).__name__} where an object belongs; fetch it again.")
    return content


def check_config(config: Any, source: str) -> dict[str, Any]:
    """Make sure that a configuration names nothing but what a file may have.

    What it cannot tell: whether a class that this process registered itself, with
    `keras.saving.register_keras_serializable`, does any harm with the arguments that the file gives it; whether the
    trained network says what it was trained to say; and whether it takes long.

    Args:
        config: What `keras.saving.serialize_keras_object` made, by its own account.
        source: What to call it in an error, such as the path of its file.

    Returns:
        The objects of this process that it names, by the names under which they are registered.

    Raises:
        TrustError: A class or a function is not on the list, a number or the whole is too large, or it is no
            configuration.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise TrustError(f"{source}: describes no network; fetch it again.")
    try:
        parts = list(_dictionaries(config, source))
    except RecursionError as error:
        raise TrustError(f"{source}: is nested too deep; at most {MAX_DEPTH} levels are read.") from error
    own: dict[str, Any] = {}
    counts = dict.fromkeys((keras.Layer, keras.metrics.Metric), 0)
    for place, part in parts:
        own |= {text: found for text in part.values() if isinstance(text, str) and (found := registered(text))}
        if "class_name" not in part:
            continue
        kind = resolved(part, place)
        if not isinstance(kind, type):
            continue
        for family in counts:
            counts[family] += issubclass(kind, family)
        for family, most in MAX_NUMBER.items():
            # Classes of one's own know best what their numbers mean; a seed may be any.
            if issubclass(kind, family) and kind.__module__.partition(".")[0] in ("keras", "kerasgan"):
                _check_numbers(part["config"], REPEATING.get(part["class_name"], most), place)
        if part["config"].get("unroll"):
            raise TrustError(f"{place} unrolls its loop, which may be of any length; have it saved with unroll=False.")
        for name in PARTS:  # of a LowLevelNetwork, a ScratchClassifier; whole layers are counted by themselves
            items = part["config"].get(name)
            plain = [item for item in items if not _is_class(item)] if isinstance(items, list) else []
            counts[keras.Layer] += len(plain)
    for family, most in ((keras.Layer, MAX_LAYERS), (keras.metrics.Metric, MAX_METRICS)):
        if counts[family] > most:
            raise TrustError(f"{source}: has {counts[family]:,} {family.__name__.lower()}s; at most {most:,} are read.")
    if _calls(config) > MAX_CALLS:
        raise TrustError(f"{source}: has networks within networks that call each other too often; fetch it again.")
    return own


def resolved(part: dict[str, Any], place: str) -> Any:
    """Return the class or function that a part of a configuration names; None for a mere value.

    A functional model is a `keras.Model` here, an operation of `keras.ops` a `keras.Operation`.

    Raises:
        TrustError: It is not one that a file may name.
    """
    name, module, config = part["class_name"], part.get("module"), part.get("config")
    # As Keras does: the registered name where there is one, and a function by its own.
    known_as = config if name == "function" else part.get("registered_name", name)
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(known_as, str | None):
        raise TrustError(f"{place} names a class by something that is no name; fetch the file again.")
    if name in VALUES:
        dtype = config.get("dtype", "float32") if isinstance(config, dict) else "float32"
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise TrustError(f"{place} has the dtype {shown(dtype)}, which is not one of numbers.")
        return None
    # Without "module", Keras goes by rules of older versions that know no registered names.
    found = registered(known_as) if "module" in part else None
    if found is None and name == "function":
        found = _stock_function(module, known_as)
    elif found is None:
        found = _stock_class(module, name)
    if found is None and name in REFUSED:
        raise TrustError(f"{place} is a {name}, which {REFUSED[name]}; no file may have one.")
    if isinstance(found, type) and issubclass(found, REFUSED_CLASSES):
        raise TrustError(f"{place} is a {shown(name)}, a kind of layer that no file may have; build it in code.")
    if found is None:
        what = f"the function {shown(known_as)}" if name == "function" else f"the class {shown(name)}"
        raise TrustError(
            f"{place} names {what} of {shown(module)}, which is not known to be harmless; if it is yours, "
            "register it with keras.saving.register_keras_serializable and import it first."
        )
    if isinstance(found, type) and not isinstance(config, dict):
        raise TrustError(f"{place} has no configuration; fetch the file again.")
    return found


def registered(name: str | None) -> Any:
    """Return what this process registered under a name, or gave a custom object scope; None if there is none."""
    return keras.saving.get_registered_object(name)


def shown(value: Any) -> str:
    """Return what a file says in a form that breaks no line and steers no terminal."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def counted(number: int) -> str:
    """Return a number as people read it; one of a thousand digits is no number to read."""
    return f"{number:,}" if abs(number) < 10**15 else "over a thousand million million"


def _stock_class(module: str | None, name: str) -> type | None:
    if not name.isidentifier() or module is None:
        return None
    if module in PRIVATE:
        return PRIVATE[module] if module.startswith("keras.src.ops.") or name == "Functional" else None
    allowed = STOCK.get(module)
    if allowed is None or (isinstance(allowed, frozenset) and name not in allowed):
        return None
    found: Any = keras
    for step in (*module.split(".")[1:], name):
        found = getattr(found, step, None)
    if not isinstance(found, type) or (isinstance(allowed, type) and not issubclass(found, allowed)):
        return None
    return found


def _stock_function(module: str | None, name: str | None) -> Any:
    if name is None or not name.isidentifier() or name.startswith("_") or name in NO_FUNCTIONS:
        return None
    places = [place for place in FUNCTIONS if module in ("builtins", f"keras.{place.__name__.rpartition('.')[2]}")]
    return next((found for place in places if callable(found := getattr(place, name, None))), None)


def _is_class(value: Any) -> bool:
    return isinstance(value, dict) and "class_name" in value


def _check_numbers(value: Any, most: int, place: str, name: str = "") -> None:
    """Refuse whole numbers that are too large, in what belongs to this class and not to one within it."""
    if isinstance(value, dict) and not _is_class(value):
        for key, item in value.items():
            _check_numbers(item, most, place, key)
    elif isinstance(value, list):
        for item in value:
            _check_numbers(item, most, place, name)
    elif isinstance(value, int) and abs(value) > most and name != "seed":
        raise TrustError(f"{place} has {shown(name)} = {counted(value)}; at most {most:,} is read.")


def _calls(value: Any) -> int:
    """Count how often a network's parts are called, or made, where it is built once."""
    if isinstance(value, list):
        return sum(map(_calls, value))
    if not isinstance(value, dict):
        return 0
    inner = sum(map(_calls, value.values()))
    if "class_name" not in value:
        return inner
    nodes = value.get("inbound_nodes")
    times = len(nodes) if isinstance(nodes, list) else 1
    return (1 + inner) * max(1, times) * (2 if value["class_name"] == "Bidirectional" else 1)


def _dictionaries(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every dictionary with its place, `file: config.layers[3].config`."""
    if depth > MAX_DEPTH:
        raise RecursionError(place)
    if isinstance(value, dict):
        yield place, value
        joint = "." if depth else ": "
        for name, item in value.items():
            if item and isinstance(item, dict | list):
                yield from _dictionaries(
                    item, f"{place}{joint}{name if name.isidentifier() else shown(name)}", depth + 1
                )
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if item and isinstance(item, dict | list):
                yield from _dictionaries(item, f"{place}[{index}]", depth + 1)
