"""What others may want of a trained module: its networks, as files."""

from pathlib import Path

import keras

from kerasgan.modules import Module
from kerasgan.trainer import presentation
from kerasgan.trainer.run_directory import RunDirectory


def exports(run: RunDirectory, module: keras.Model) -> list[Path]:
    """Write every network that others may want, and return where; a class that cannot be described is left out.

    Of several processes all have to call this: a copy of a network is distributed as the network is.
    """
    exported = []
    for name, network in (module.networks_to_export() if isinstance(module, Module) else {"model": module}).items():
        try:
            exported.append(run.export(name, network))
        except NotImplementedError:
            presentation.warn(f"{name}.keras is not written: {type(network).__name__} has no get_config().")
    return exported
