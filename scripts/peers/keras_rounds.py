"""Rounds for whoever trains by Keras's `fit`."""

from typing import Any

import keras

from peers.worker import Gate


class Rounds(keras.callbacks.Callback):
    """Take every epoch for a round; whatever other callbacks do when an epoch ends belongs to it.

    Args:
        gate: What to wait at.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Wait until the epoch may begin; Keras has fetched the losses of the last one, so that it is computed."""
        self.gate.wait()
