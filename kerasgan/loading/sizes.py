"""How large the networks are that a configuration describes, told without taking the memory."""

import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from kerasgan.loading.trust import TrustError, counted, resolved, shown
from kerasgan.modules import Module, ScratchClassifier

# Numbers that one layer may give for one image: 256 MiB of float32.
MAX_OUTPUTS = 2**26


def check_size(
    config: dict[str, Any],
    held: int,
    source: str,
    *,
    own: dict[str, Any] | None = None,
    input_shape: Sequence[int] | None = None,
) -> None:
    """Make sure that a configuration declares no more weights than its weights file holds.

    The networks are built for once without values. What it cannot tell: what a class of this process that is no
    stock layer allocates by itself, and what a network takes for batches of many images.

    Args:
        config: A configuration that has passed `check_config`.
        held: How many numbers the weights file holds.
        source: What to call the configuration in an error.
        own: What `check_config` returned.
        input_shape: Of one image, where a network is not built by its configuration.

    Raises:
        TrustError: It declares more; a layer gives too many numbers; or the networks cannot be built at all.
    """
    # Keras keeps a list, a thread, of variables that wait for a value, and would fill it in at the next occasion. The
    # list of this thread goes with the thread.
    with ThreadPoolExecutor(1) as thread, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            declared = thread.submit(_declared, config, own or {}, input_shape, source).result()
        except TrustError:
            raise
        except Exception as error:  # whatever Keras and a backend make of arguments that nobody vouches for
            raise TrustError(f"{source}: its network cannot be built: {first_line(error)}") from error
    if declared > held:
        raise TrustError(
            f"{source}: declares a network of {counted(declared)} weights, and {held:,} numbers were saved with it; "
            "fetch the files again."
        )


def first_line(error: BaseException) -> str:
    """Return what an error says, on one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return ascii(text if len(text) <= 300 else f"{text[:297]}...")[1:-1]


def _declared(config: dict[str, Any], own: dict[str, Any], input_shape: Sequence[int] | None, source: str) -> int:
    with keras.StatelessScope(initialize_variables=False), keras.saving.custom_object_scope(own):
        return sum(_weights(part, input_shape, source) for part in _networks(config))


def _networks(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the configurations of networks that are not within another, nor a module's own."""
    if isinstance(config, dict):
        kind = resolved(config, "") if "class_name" in config else None
        if isinstance(kind, type) and (
            issubclass(kind, ScratchClassifier) or (issubclass(kind, keras.Layer) and not issubclass(kind, Module))
        ):
            yield config
        else:
            yield from (network for item in config.values() for network in _networks(item))
    elif isinstance(config, list):
        yield from (network for item in config for network in _networks(item))


def _weights(config: dict[str, Any], input_shape: Sequence[int] | None, source: str) -> int:
    if issubclass(resolved(config, ""), ScratchClassifier):  # which is no Keras layer, and makes its values at once
        return sum((abs(int(layer["inputs"])) + 1) * abs(int(layer["outputs"])) for layer in config["config"]["layers"])
    network = keras.saving.deserialize_keras_object(_uncompiled(config))
    if input_shape is not None and not network.built:
        network.build((None, *input_shape))
    for layer in _layers(network):
        try:
            outputs = keras.tree.flatten(layer.output)
        except (AttributeError, ValueError):  # what Keras raises where a layer was not called on its own
            continue
        for output in outputs:
            numbers = math.prod(side for side in output.shape[1:] if side is not None)
            if numbers > MAX_OUTPUTS:
                raise TrustError(
                    f"{source}: the layer {shown(layer.name)} gives {counted(numbers)} numbers for one image; at most "
                    f"{MAX_OUTPUTS:,} are taken."
                )
    return sum(math.prod(weight.shape) for weight in network.weights)


def _layers(network: Any) -> Iterator[Any]:
    """Yield the layers and operations of a network, and those of networks within it."""
    yield network
    for layer in getattr(network, "operations", None) or getattr(network, "layers", []):
        yield from _layers(layer)


def _uncompiled(config: Any) -> Any:
    """Leave out how networks are compiled: an optimizer has values from the first."""
    if isinstance(config, dict):
        return {name: _uncompiled(item) for name, item in config.items() if name != "compile_config"}
    return [_uncompiled(item) for item in config] if isinstance(config, list) else config
