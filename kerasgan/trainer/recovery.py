"""Back to the last good state when training is no longer finite, and on from there in another order."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras

from kerasgan.callbacks import NonFiniteLoss
from kerasgan.callbacks.logs import global_step
from kerasgan.checkpoints import CheckpointStore, capture, restore
from kerasgan.trainer import presentation
from kerasgan.trainer.attendants import close
from kerasgan.trainer.feed import Feed
from kerasgan.trainer.results import Record
from kerasgan.trainer.resume import Start, check_manifest, newest_good


class Recovery:
    """Goes back to the newest good checkpoint after a `NonFiniteLoss`, or to where this call of `fit` began.

    What went wrong may have been the luck of one batch: the data comes in another order from there. The seeds of
    dropout and latents stay, so a run that is killed and resumed takes the same turns.

    Args:
        module: Compiled, and restored if the run is resumed.
        start: Where training begins.
        store: The run's checkpoints, if it has any.
        feed: What it is trained on.
        limit: Returns at most; 0 for none. A resume goes on counting where its checkpoint stands.

    Attributes:
        restores: Returns so far. The order of the data depends on it.
    """

    def __init__(self, module: keras.Model, start: Start, store: CheckpointStore, feed: Feed, limit: int) -> None:
        self.restores: int = start.metadata.get("reshuffles", 0)
        self._module, self._store, self._feed, self._limit = module, store, feed, limit
        self._first_step, self._start = global_step(module), start
        # Not the arrays of the checkpoint: a resume may have changed a learning rate since. A model that is built by
        # its first batch has no state yet to go back to.
        self._first_state = capture(module) if limit and module.built else None

    def train(
        self,
        attempt: Callable[[Start], None],
        start: Start,
        record: Record,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """Call `attempt` from `start`, and again from a good state whenever it ends in a `NonFiniteLoss`.

        Args:
            attempt: Trains to the end of the run.
            start: Where it begins.
            record: Forgets what is trained again.
            callbacks: Closed in between, as Keras does not end a fit that has raised.

        Raises:
            NonFiniteLoss: It happened once too often, or there is nothing to go back to.
            CheckpointError: There are checkpoints, and none is usable.
        """
        while True:
            try:
                return attempt(start)
            except NonFiniteLoss as raised:
                error = self._cause(raised)
                if self.restores >= self._limit or (earlier := self._go_back()) is None:
                    raise error from None
                self.restores += 1
                step = global_step(self._module)
                close(callbacks)
                record.go_back(earlier.position.epoch, step)
                what = str(error).split(": ")[0]
                presentation.warn(
                    f"{what}: going back to step {step}, on with another order of the data "
                    f"({self.restores} of at most {self._limit} times)."
                )
                start = replace(earlier, metadata={**earlier.metadata, "reshuffles": self.restores, "stopped": False})

    def _cause(self, error: NonFiniteLoss) -> NonFiniteLoss:
        """Return what the module has noted, where a checkpoint was asked to save the result and complained first."""
        noted = NonFiniteLoss.of(self._module, error.epoch, error.values)
        return error if noted is None or noted.step > error.step else noted

    def _go_back(self) -> Start | None:
        """Put the newest good state into the module."""
        checkpoint = newest_good(self._store)
        if checkpoint is not None and checkpoint.step > self._first_step:
            check_manifest(checkpoint)
            restore(self._module, checkpoint.arrays)
            return Start.at(checkpoint, self._feed)
        if self._first_state is None:
            return None
        restore(self._module, self._first_state)
        return self._start
