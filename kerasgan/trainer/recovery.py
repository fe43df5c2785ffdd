"""Back to the last good state when training is no longer finite, and on from there in another order."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras

from kerasgan.callbacks import NonFiniteLoss
from kerasgan.callbacks.logs import global_step
from kerasgan.checkpoints import CheckpointStore, capture, restore
from kerasgan.checkpoints.state import BESIDES
from kerasgan.trainer import presentation
from kerasgan.trainer.attendants import close
from kerasgan.trainer.feed import Position
from kerasgan.trainer.results import Record
from kerasgan.trainer.resume import Start


class Recovery:
    """Goes back to the newest good checkpoint after a `NonFiniteLoss`, or to where this call of `fit` began.

    What went wrong may have been the luck of one batch: the data comes in another order from there. The seeds of
    dropout and latents stay, so a run that is killed and resumed takes the same turns.

    Args:
        module: Compiled, and restored if the run is resumed.
        start: Where training begins.
        store: The run's checkpoints, if it has any.
        limit: Returns at most, counted over all resumes; 0 for none.

    Attributes:
        restores: Returns so far, counted over all resumes. The order of the data depends on it.
    """

    def __init__(self, module: keras.Model, start: Start, store: CheckpointStore, limit: int) -> None:
        self.restores: int = start.metadata.get("reshuffles", 0)
        self._module, self._store, self._limit = module, store, limit
        self._first_step = global_step(module)
        self._start: Start | None = None
        # A model that is built by its first batch has no state yet to go back to.
        if limit and module.built:
            # Not the arrays of the checkpoint alone: a resume may have changed a learning rate since.
            besides = {name: array for name, array in start.arrays.items() if name.startswith(BESIDES)}
            self._start = replace(start, arrays=capture(module) | besides)

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
                if self.restores >= self._limit or (earlier := self._good_state()) is None:
                    raise error from (None if error is raised else raised)
                self.restores += 1
                restore(self._module, dict(earlier.arrays))
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

    def _good_state(self) -> Start | None:
        found = self._store.newest_good()
        if found is None or found[0].step <= self._first_step:
            return self._start
        checkpoint, passed_over = found
        for path, reason in passed_over:
            presentation.warn(f"{path} is passed over: {reason}")
        place = Position(checkpoint.metadata["epoch"], checkpoint.metadata["batch"])
        return Start(place, checkpoint.arrays, checkpoint.metadata)
