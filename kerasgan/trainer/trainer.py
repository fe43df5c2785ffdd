"""The trainer: Keras's own `fit`, with a run directory, resume, limits and clean ends around it."""

import functools
import inspect
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from kerasgan import backends
from kerasgan.callbacks import Checkpoint
from kerasgan.callbacks.logs import global_step
from kerasgan.checkpoints import CheckpointStore
from kerasgan.modules import Module
from kerasgan.trainer import presentation
from kerasgan.trainer.attendants import bind, close, instruct, with_defaults
from kerasgan.trainer.compile_cache import use_compile_cache
from kerasgan.trainer.config import describe_run, noted
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.options import check_options
from kerasgan.trainer.pace import Pace
from kerasgan.trainer.parts import PlaceInData, StopAtStep, fit_in_parts
from kerasgan.trainer.profile import profiles
from kerasgan.trainer.recovery import Recovery
from kerasgan.trainer.results import Record
from kerasgan.trainer.resume import Start, resumed
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError
from kerasgan.trainer.signals import Interrupted, StopOnSignal

Callbacks = Sequence[keras.callbacks.Callback]


class Trainer:
    """Train any `kg.Module`, or any compiled Keras model, into a run directory.

    Make the trainer before the module: `seed` and `precision` act on what is built from then on.

    Args:
        run_dir: Where everything goes. A directory that holds a run is never overwritten.
        max_epochs: Epochs to train for, counted over all resumes; 1 if neither limit is given.
        max_steps: Training steps to train for, likewise; whichever limit is met first ends training.
        callbacks: Keras callbacks of any origin. `StopOnNaN`, `TensorBoard`, `CSVLogger` and `ProgressBar` are
            added where the list has none of their kind. `Checkpoint` is not: without one a run cannot be resumed.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; Keras's present policy if None.
        steps_per_execution: Training steps that run as one program, with nothing of Python between them; `"auto"`
            times a few. Of a `kg.Module` on `kg.data` the bits do not depend on it, and limits, checkpoints and NaN
            checks keep their exact step; callbacks are called once for each execution. For others it is Keras's.
        seed: Given to `keras.utils.set_random_seed`.
        deterministic: Refuse operations whose result depends on the order of threads.
        fast_dev_run: Run one batch of everything (or as many as the number says) in a directory that is
            deleted afterwards: does all of it work?
        limit_train_batches: Batches of an epoch, or a fraction of them.
        limit_val_batches: The same for validation and test.
        overfit_batches: Train and validate on the same first batches, unshuffled: can the network learn at all?
        check_val_every_n_epochs: Epochs from one validation to the next.
        on_nan: What to do once a loss, a gradient norm or a weight is NaN or infinite: `"stop"` ends the run with
            `NonFiniteLoss`; `"restore"` goes back to the newest good checkpoint, or else to the beginning, and on
            with another order of the data.
        max_restores: Returns at most; once more, and the run ends as with `"stop"`. Checkpoints keep the count.
        compile_cache: Directory that keeps what JAX compiles for the next process, which then starts in seconds; True
            for one in the user's cache; what `KERASGAN_COMPILE_CACHE` names if None.
        profile: Training steps to trace, after the first ones, for TensorBoard's profiler; none if None.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> grids, checkpoints = kg.callbacks.ImageGrid(), kg.callbacks.Checkpoint()
        >>> trainer = kg.Trainer("runs/mnist", max_epochs=50, callbacks=[grids, checkpoints])
        >>> trainer.fit(gan, data)
    """

    def __init__(
        self,
        run_dir: str | Path,
        *,
        max_epochs: int | None = None,
        max_steps: int | None = None,
        callbacks: Callbacks = (),
        precision: str | None = None,
        steps_per_execution: int | str = "auto",
        seed: int | None = None,
        deterministic: bool = False,
        fast_dev_run: bool | int = False,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        overfit_batches: int | None = None,
        check_val_every_n_epochs: int = 1,
        on_nan: str = "stop",
        max_restores: int = 3,
        compile_cache: str | Path | bool | None = None,
        profile: int | None = None,
    ) -> None:
        self.run_dir = Path(run_dir)
        self.max_epochs, self.max_steps = max_epochs, max_steps
        self.callbacks = list(callbacks)
        self.precision = precision
        self.steps_per_execution = steps_per_execution
        self.seed, self.deterministic = seed, deterministic
        self.fast_dev_run = int(fast_dev_run)
        self.limit_train_batches, self.limit_val_batches = limit_train_batches, limit_val_batches
        self.overfit_batches = overfit_batches
        self.check_val_every_n_epochs = check_val_every_n_epochs
        self.on_nan, self.max_restores = on_nan, max_restores
        self.compile_cache, self.profile = compile_cache, profile
        check_options(self._options())
        use_compile_cache(compile_cache)
        if seed is not None:
            keras.utils.set_random_seed(seed)
        if deterministic:
            backends.make_deterministic()
        if precision is not None:
            keras.config.set_dtype_policy(precision)

    def fit(
        self,
        module: keras.Model,
        data: Any,
        *,
        batch_size: int | None = None,
        validation_data: Any = None,
        resume: bool = False,
        allow_changes: bool = False,
    ) -> keras.callbacks.History:
        """Train `module` and leave a finished run directory behind.

        Args:
            module: Compiled.
            data: A `kg.data.DataModule`, or anything Keras's `fit` takes as `x`: arrays, a tuple `(x, y)`, a
                `PyDataset`, a `tf.data.Dataset`, a generator.
            batch_size: For arrays; everything else comes in batches.
            validation_data: What to validate on; the validation split of a `DataModule` if None.
            resume: Go on from the newest good checkpoint of the run directory.
            allow_changes: Resume with other settings than those of the run, such as another learning rate, and also
                where a callback had ended it. `config.json` notes each change and its step.

        Returns:
            Keras's history of this call.

        Raises:
            RunDirectoryError: The directory holds a run and `resume` is False, or none and `resume` is True; or
                another trainer is at work in it.
            NonFiniteLoss: A loss, a gradient norm or a weight became NaN or infinite, as `on_nan` has it.
            Interrupted: SIGINT or SIGTERM came; the state is saved if there is a `Checkpoint` callback.
            StateError: The checkpoint does not fit the module.
            CheckpointError: There are checkpoints and none is usable; `CheckpointWriteError`: the disk refused.
            ValueError: The module is not compiled or was built in another precision than the trainer's, the run to
                resume had other settings, or `batch_size` was given with a `DataModule`.
        """
        self._check_module(module)
        feed = self._feed(module, data, validation_data, batch_size)
        with self._open_run(resume) as run:
            callbacks = with_defaults([*self.callbacks, *profiles(self.profile, run)])
            bind(callbacks, run, redirect=bool(self.fast_dev_run))
            checkpoint = next((callback for callback in callbacks if isinstance(callback, Checkpoint)), None)
            config = describe_run(module, data, self._options(), checkpoint.place if checkpoint else None)
            store = CheckpointStore(config["checkpoints"] or run.store.directory)
            start = resumed(run, store, module, feed, config, allow_changes=allow_changes) if resume else Start()
            record, stop_at_step = Record(module, start, run.read_results()), StopAtStep(self.max_steps)
            recovery = Recovery(module, start, store, feed, self.max_restores if self.on_nan == "restore" else 0)
            if not resume:
                run.write_json(run.config_file, config)

            epochs = self._epochs(feed, start.position, global_step(module))
            # Asked for late: it times a few steps, if there are any left to take.
            pace = functools.cache(lambda: self._pace(module, feed, callbacks, start, epochs))

            def describe() -> dict[str, Any]:
                stopped = module.stop_training and not stop_at_step.reached
                about = {"stopped": stopped, "wall_seconds": record.wall_seconds, "reshuffles": recovery.restores}
                return about | {"steps_per_execution": pace().steps}

            def note_resume(logs: Any) -> None:
                if noted(config) != noted(run.read_config()):
                    run.write_json(run.config_file, config)

            def train(start: Start) -> None:
                instruct(callbacks, data, feed, config, start, describe)
                internal = [record, PlaceInData(feed.train, start), stop_on_signal, stop_at_step]
                # The last one: what cannot be gone on with is found by then, and nothing was changed.
                note = keras.callbacks.LambdaCallback(on_train_begin=note_resume)
                fit_in_parts(
                    module,
                    feed,
                    [*internal, *callbacks, note],
                    epochs=epochs,
                    max_steps=self.max_steps,
                    start=start,
                    validation_freq=1 if self.fast_dev_run else self.check_val_every_n_epochs,
                    choose_pace=pace,
                )

            presentation.show_start(module, config, feed, run, start.position)
            # Of a run that is killed this stays, and not what an earlier part of it said.
            run.write_json(
                run.results_file, record.results("running", feed.batch_size) | {"restores": recovery.restores}
            )

            status = "failed"
            try:
                with StopOnSignal(checkpoint.save if checkpoint else None) as stop_on_signal:
                    recovery.train(train, start, record, callbacks)
                exported = _export(run, module)
                status = "done"
            except (Interrupted, KeyboardInterrupt):
                status = "interrupted"
                raise
            finally:
                results = record.results(status, feed.batch_size) | {"restores": recovery.restores}
                with presentation.disk_errors_after(status):
                    close(callbacks)
                with presentation.disk_errors_after(status):
                    run.write_json(run.results_file, results)
            presentation.show_end(run, exported, results, rehearsal=bool(self.fast_dev_run))
        return record

    def validate(self, module: keras.Model, data: Any, *, batch_size: int | None = None) -> dict[str, float]:
        """Run `validation_step` over the validation split of a `DataModule`, or over any other data.

        Args:
            module: Compiled.
            data: As for `fit`.
            batch_size: For arrays.

        Returns:
            `{name: mean}` of what the step logs.

        Raises:
            ValueError: The `DataModule` has no validation split.
        """
        return self._evaluate(module, data, "validation", batch_size)

    def test(self, module: keras.Model, data: Any, *, batch_size: int | None = None) -> dict[str, float]:
        """As `validate`, over the test split; the figures also go into `results.json` of the run, as `test`."""
        means = self._evaluate(module, data, "test", batch_size)
        run = RunDirectory(self.run_dir)
        if run.results_file.exists() and not self.fast_dev_run:
            try:
                with run.locked():
                    run.write_json(run.results_file, {**run.read_results(), "test": means})
            except (RunDirectoryError, OSError) as error:
                # The figures took their time, and are not lost: they are returned.
                presentation.warn(f"the test figures are not written to {run.results_file}: {error}")
        return means

    def predict(self, module: keras.Model, data: Any, *, batch_size: int | None = None) -> Any:
        """Return what `module` makes of the images of the test split of a `DataModule`, or of any other data.

        Args:
            module: One with a `call`. A `GAN` maps latents to images: give it `(count, latent_dim)`, no `DataModule`.
            data: As for `fit`.
            batch_size: For arrays.

        Returns:
            The outputs, `(examples, ...)`.
        """
        feed = self._split_feed(module, data, "test", batch_size)
        arguments = feed.fit_arguments()
        steps = {} if feed.train_limit is None else {"steps": feed.train_limit}
        with feed.data_errors():
            return module.predict(arguments["x"], batch_size=arguments.get("batch_size"), verbose=0, **steps)

    def _evaluate(self, module: keras.Model, data: Any, split: str, batch_size: int | None) -> dict[str, float]:
        feed = self._split_feed(module, data, split, batch_size)
        arguments = {name: value for name, value in feed.fit_arguments().items() if name in ("x", "y", "batch_size")}
        with feed.data_errors():
            return dict(module.evaluate(**arguments, steps=feed.train_limit, verbose=0, return_dict=True))

    def _split_feed(self, module: keras.Model, data: Any, split: str, batch_size: int | None) -> Feed:
        if hasattr(data, "splits"):
            if split not in data.splits:
                raise ValueError(f"{data.name} has no {split} split, only {', '.join(data.splits)}.")
            data = data.splits[split]
        feed = Feed.of(data, None, batch_size, module)
        return feed.limited(train=self.fast_dev_run or self.limit_val_batches)

    # The steps of `fit`, in order.

    def _check_module(self, module: keras.Model) -> None:
        if not getattr(module, "compiled", False):
            raise ValueError(f"{type(module).__name__} is not compiled; call compile(optimizer=...) before fit.")
        if self.precision is not None and module.dtype_policy.name != self.precision:
            raise ValueError(
                f"precision is {self.precision}, but the module was built in {module.dtype_policy.name}; make the "
                "Trainer first and the module after it."
            )

    def _feed(self, module: keras.Model, data: Any, validation_data: Any, batch_size: int | None) -> Feed:
        return Feed.of(data, validation_data, batch_size, module).limited(
            train=self.fast_dev_run or self.limit_train_batches,
            validation=self.fast_dev_run or self.limit_val_batches,
            overfit=self.overfit_batches and (self.fast_dev_run or self.overfit_batches),
        )

    @contextmanager
    def _open_run(self, resume: bool) -> Iterator[RunDirectory]:
        if not self.fast_dev_run:
            with RunDirectory(self.run_dir).opened(resume) as run:
                yield run
            return
        with (
            tempfile.TemporaryDirectory(prefix="kerasgan-dev-run-") as directory,
            RunDirectory(Path(directory) / "run").opened(resume=False) as run,
        ):
            yield run

    def _epochs(self, feed: Feed, position: Position, step: int) -> int:
        if self.fast_dev_run:
            return 1
        if self.max_epochs is not None:
            return self.max_epochs
        if self.max_steps is None:
            return 1
        # StopAtStep ends training; without max_epochs this number only has to be large enough.
        left = max(0, self.max_steps - step) + position.batch
        return position.epoch - (-left // (feed.batches_per_epoch or 1))

    def _pace(self, module: keras.Model, feed: Feed, callbacks: Callbacks, start: Start, epochs: int) -> Pace:
        known, left = start.metadata.get("steps_per_execution"), epochs - start.position.epoch
        steps_to_go = left * (feed.batches_per_epoch or 0)
        return Pace.of(module, feed.train, callbacks, self.steps_per_execution, known=known, steps_to_go=steps_to_go)

    def _options(self) -> dict[str, Any]:
        names = [name for name in inspect.signature(type(self)).parameters if name not in ("run_dir", "callbacks")]
        return {name: getattr(self, name) for name in names}


def _export(run: RunDirectory, module: keras.Model) -> list[Path]:
    """Write every network that others may want, and return where; a class that cannot be described is left out."""
    exported = []
    for name, network in (module.networks_to_export() if isinstance(module, Module) else {"model": module}).items():
        try:
            exported.append(run.export(name, network))
        except NotImplementedError:
            presentation.warn(f"{name}.keras is not written: {type(network).__name__} has no get_config().")
    return exported
