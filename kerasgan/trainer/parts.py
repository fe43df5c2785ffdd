"""One training run out of one or two calls of Keras's `fit`, which begins and ends at any step."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kerasgan.callbacks.logs import global_step
from kerasgan.callbacks.state import restore_callbacks
from kerasgan.checkpoints import missing_means, restore_means
from kerasgan.data import Batches
from kerasgan.trainer.executions import Executions
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.pace import Pace
from kerasgan.trainer.resume import Start


class _Parts(keras.callbacks.CallbackList):
    """Callbacks that see two calls of `fit` as one, and executions as the steps that they are.

    They begin with the first call and end with the last. Where Keras counts executions they are told the first and the
    last batch of each; `params["steps_per_execution"]` has the number of its steps.
    """

    begin, end = True, True
    start = Start()
    executions: Executions | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        if self.executions is not None:
            # Not earlier: a callback has said which epoch of the data this is.
            self.executions.begin(global_step(self.model))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.executions is not None:
            execution = self.executions.at(batch)
            if execution is None:
                return
            batch, self.params["steps_per_execution"] = execution.first, execution.count
        super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.executions is not None:
            execution = self.executions.at(batch)
            if execution is None:
                return
            batch = execution.end - 1
        super().on_train_batch_end(batch, logs)

    def on_train_begin(self, logs: Any = None) -> None:
        if self.begin:
            super().on_train_begin(logs)
            # Not earlier: this is the moment at which Keras's callbacks forget everything.
            restore_callbacks(self.callbacks, self.start.metadata.get("callbacks", {}), self.start.arrays)

    def on_train_end(self, logs: Any = None) -> None:
        if self.end:
            super().on_train_end(logs)


def fit_in_parts(
    module: keras.Model,
    feed: Feed,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    epochs: int,
    max_steps: int | None,
    start: Start,
    validation_freq: int,
    choose_pace: Callable[[], Pace],
) -> None:
    """Train from `start` up to `epochs` or `max_steps`, if that is not done already.

    An epoch that is resumed in the middle is shorter than the others, and Keras asks for the length of an
    epoch once for each call: it takes a call of its own.
    """
    steps = feed.batches_per_epoch
    parts = _Parts(
        list(callbacks),
        add_history=False,
        add_progbar=False,
        model=module,
        epochs=epochs,
        verbose=0,
        steps=steps,
    )
    parts.start, position = start, start.position
    if isinstance(feed.train, Batches):
        feed.train.reshuffles = start.metadata.get("reshuffles", 0)
    enough_steps = max_steps is not None and global_step(module) >= max_steps
    if start.finished or position.epoch >= epochs or enough_steps:
        # The run may have been killed after its last step and before all was written that is written at the end.
        parts.on_train_begin()
        _finish(module, parts)
        return
    pace = choose_pace()

    def fit(begin: Position, **epochs: int) -> None:
        arguments = feed.fit_arguments(begin)
        if pace.fuses:
            arguments["x"] = parts.executions = pace.executions(arguments["x"], callbacks, max_steps)
        with pace.kept(module), feed.data_errors():
            if parts.executions is not None:
                module.train_function = parts.executions.train_function(module)
            module.fit(**arguments, **epochs, callbacks=parts, verbose=0, validation_freq=validation_freq)

    if position.batch and isinstance(feed.train, Batches):
        parts.end = False
        # The run goes on: averaged weights (`use_ema`) must not take the place of the weights yet.
        module.optimizer.finalize_variable_values = lambda variables: None
        parts.set_params({**parts.params, "steps": steps - position.batch if steps else None})
        try:
            first = {"initial_epoch": position.epoch, "epochs": position.epoch + 1}
            fit(position, **first)
        finally:
            del module.optimizer.finalize_variable_values
        parts.begin, parts.end = False, True
        parts.set_params({**parts.params, "steps": steps})
        position = Position(position.epoch + 1)
        if module.stop_training or position.epoch >= epochs:
            _finish(module, parts)
            return
    fit(Position(), initial_epoch=position.epoch, epochs=epochs)


def _finish(module: keras.Model, parts: _Parts) -> None:
    """Do what `fit` does after the last epoch: averaged weights (`use_ema`) take the place of the weights."""
    module.optimizer.finalize_variable_values(module.trainable_variables)
    parts.on_train_end({})


class PlaceInData(keras.callbacks.Callback):
    """Give every epoch its own order, and a resumed epoch the running means it was left with.

    Args:
        batches: The training data; anything but `Batches` keeps its own order.
        start: Where training goes on.
    """

    def __init__(self, batches: Any, start: Start) -> None:
        super().__init__()
        self._batches, self._start = batches, start

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Act after Keras has reset the metrics, and before it asks for the first batch."""
        if isinstance(self._batches, Batches):
            self._batches.epoch = epoch
        position = self._start.position
        if epoch == position.epoch and position.batch:
            arrays = dict(self._start.arrays)
            if missing_means(self.model, arrays):
                self._make_metrics()
            restore_means(self.model, arrays)

    def _make_metrics(self) -> None:
        """Make the metrics of `compile`: Keras on TensorFlow leaves that to the first batch, too late for means."""
        images, labels = (keras.ops.convert_to_tensor(part) for part in self._batches[0][:2])
        self.model.compute_metrics(images, labels, self.model(images, training=False))


class StopAtStep(keras.callbacks.Callback):
    """End training with the step that reaches `max_steps`, counted over all resumes."""

    def __init__(self, max_steps: int | None) -> None:
        super().__init__()
        self._max_steps = max_steps
        self.reached = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the step this epoch begins with: on JAX, even reading `self.model` later costs a synchronization."""
        self._first_step = global_step(self.model)
        self._steps_per_execution = self.model.steps_per_execution
        self.reached = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Ask Keras to stop after the batch that now begins. At its end would be too late on JAX."""
        reached = self._first_step + batch + self.params.get("steps_per_execution", self._steps_per_execution)
        if self._max_steps is not None and reached >= self._max_steps:
            self.reached = self.model.stop_training = True
