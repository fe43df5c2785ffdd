"""The trainer: Keras's own `fit`, with a run directory, resume, limits and clean ends around it."""

import functools
import inspect
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from kerasgan import backends
from kerasgan.callbacks import Checkpoint
from kerasgan.callbacks.logs import global_step
from kerasgan.checkpoints import CheckpointStore
from kerasgan.trainer import presentation
from kerasgan.trainer.agreement import Agreement, agree, common_seed
from kerasgan.trainer.attendants import bind, bind_to, close, instruct, with_defaults
from kerasgan.trainer.compile_cache import use_compile_cache
from kerasgan.trainer.config import describe_run, noted, shared_settings
from kerasgan.trainer.distribution import (
    DivideBatches,
    check_built_within,
    distribute,
    divided,
    divided_for_validation,
    name_of,
)
from kerasgan.trainer.exports import exports
from kerasgan.trainer.feed import Feed
from kerasgan.trainer.options import check_options
from kerasgan.trainer.pace import Pace
from kerasgan.trainer.parts import PlaceInData, StopAtStep, fit_in_parts
from kerasgan.trainer.processes import is_first, open_run, together
from kerasgan.trainer.profile import profiles
from kerasgan.trainer.recovery import Recovery
from kerasgan.trainer.results import Record
from kerasgan.trainer.resume import Start, resumed
from kerasgan.trainer.run_directory import RunDirectory, RunDirectoryError
from kerasgan.trainer.signals import Interrupted, StopOnSignal

Callbacks = Sequence[keras.callbacks.Callback]


class Trainer:
    """Train any `kg.Module`, or any compiled Keras model, into a run directory.

    Make the trainer before the module: `seed`, `precision` and `distribution` act on what is built from then on.

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
        seed: Given to `keras.utils.set_random_seed`. Several processes without one take one that process 0 draws.
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
        distribution: How a step is computed by several devices. `"auto"`: each has the weights and computes its part of
            every batch, if there is more than one, of all processes together; `"data_parallel"`: likewise, with a
            single one too. Or an object of `keras.distribution` on JAX, `ModelParallel` among them; a
            `tf.distribute.Strategy` on TensorFlow. None leaves in force what Keras or TensorFlow has been told before,
            by an earlier trainer for one; after `kg.connect` it is `"auto"` then. A checkpoint fits any number of
            devices, and with equal batches the losses are those of one device up to rounding.
        profile: Training steps to trace, after the first ones, for TensorBoard's profiler; none if None.

    Raises:
        ValueError: An option is out of range, the distribution is of the other backend's kind, or several processes
            were given different options.

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
        distribution: Any = None,
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
        self.distribution = distribution
        check_options(self._options())
        use_compile_cache(compile_cache)
        agree({name: value for name, value in self._options().items() if name != "compile_cache"}, "trainer")
        self.seed = seed = common_seed(seed)
        if seed is not None:
            keras.utils.set_random_seed(seed)
        distribute(distribution)
        if deterministic:
            backends.make_deterministic()
        if precision is not None:
            keras.config.set_dtype_policy(precision)

    @together
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
            ValueError: The module is not compiled, was built in another precision than the trainer's or before the
                distribution was set, the run to resume had other settings, `batch_size` was given with a `DataModule`,
                a batch cannot be divided among the devices, or several processes disagree on what they train.
            PeerLost: Another process of the run is gone, or has failed.
        """
        self._check_module(module)
        feed = self._feed(module, data, validation_data, batch_size)
        with open_run(self.run_dir, resume=resume, rehearsal=bool(self.fast_dev_run)) as (run, own):
            callbacks = with_defaults([*self.callbacks, *profiles(self.profile, own)])
            bind(callbacks, run, redirect=bool(self.fast_dev_run))
            checkpoint = next((callback for callback in callbacks if isinstance(callback, Checkpoint)), None)
            config = describe_run(module, data, self._options(), checkpoint.place if checkpoint else None)
            store = CheckpointStore(config["checkpoints"] or run.store.directory)
            start = resumed(run, store, module, feed, config, allow_changes=allow_changes) if resume else Start()
            agree(shared_settings(config) | {"step": global_step(module), "place": asdict(start.position)}, "run")
            bind_to(callbacks, run, own)
            record, stop_at_step = Record(module, start, run.read_results()), StopAtStep(self.max_steps)
            recovery = Recovery(module, start, store, feed, self.max_restores if self.on_nan == "restore" else 0)
            if not resume or own is not run:
                own.write_json(own.config_file, config)

            max_epochs = 1 if self.fast_dev_run else self.max_epochs
            epochs = feed.epochs(max_epochs, self.max_steps, start.position, global_step(module))
            # Asked for late: it times a few steps, if there are any left to take.
            pace = functools.cache(lambda: self._pace(module, feed, callbacks, start, epochs))

            def describe() -> dict[str, Any]:
                stopped = module.stop_training and not stop_at_step.reached
                about = {"stopped": stopped, "wall_seconds": record.wall_seconds, "reshuffles": recovery.restores}
                return about | {"steps_per_execution": pace().steps}

            def note_resume(logs: Any) -> None:
                if noted(config) != noted(own.read_config()):
                    own.write_json(own.config_file, config)

            def train(start: Start) -> None:
                instruct(callbacks, data, feed, config, start, describe)
                internal = [DivideBatches(feed), record, PlaceInData(feed.train, start), stop_on_signal, stop_at_step]
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
            own.write_json(
                own.results_file, record.results("running", feed.batch_size) | {"restores": recovery.restores}
            )

            status = "failed"
            try:
                with StopOnSignal(checkpoint.save if checkpoint else None, Agreement()) as stop_on_signal:
                    recovery.train(train, start, record, callbacks)
                exported = exports(own, module)
                status = "done"
            except (Interrupted, KeyboardInterrupt):
                status = "interrupted"
                raise
            finally:
                results = record.results(status, feed.batch_size) | {"restores": recovery.restores}
                with presentation.disk_errors_after(status):
                    close(callbacks)
                with presentation.disk_errors_after(status):
                    own.write_json(own.results_file, results)
            presentation.show_end(own, exported, results, rehearsal=bool(self.fast_dev_run))
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
        if is_first() and run.results_file.exists() and not self.fast_dev_run:
            try:
                with run.locked():
                    run.write_json(run.results_file, {**run.read_results(), "test": means})
            except (RunDirectoryError, OSError) as error:
                # The figures took their time, and are not lost: they are returned.
                presentation.warn(f"the test figures are not written to {run.results_file}: {error}")
        return means

    @together
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

    @together
    def _evaluate(self, module: keras.Model, data: Any, split: str, batch_size: int | None) -> dict[str, float]:
        check_built_within(module)
        feed = divided_for_validation(self._split_feed(module, data, split, batch_size))
        arguments = {name: value for name, value in feed.fit_arguments().items() if name in ("x", "y", "batch_size")}
        with feed.data_errors():
            callbacks = [DivideBatches(feed)]
            means = module.evaluate(
                **arguments, steps=feed.train_limit, verbose=0, callbacks=callbacks, return_dict=True
            )
            return dict(means)

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
        check_built_within(module)

    def _feed(self, module: keras.Model, data: Any, validation_data: Any, batch_size: int | None) -> Feed:
        feed = Feed.of(data, validation_data, batch_size, module).limited(
            train=self.fast_dev_run or self.limit_train_batches,
            validation=self.fast_dev_run or self.limit_val_batches,
            overfit=self.overfit_batches and (self.fast_dev_run or self.overfit_batches),
        )
        return divided(feed)

    def _pace(self, module: keras.Model, feed: Feed, callbacks: Callbacks, start: Start, epochs: int) -> Pace:
        known, left = start.metadata.get("steps_per_execution"), epochs - start.position.epoch
        steps_to_go = left * (feed.batches_per_epoch or 0)
        return Pace.of(module, feed.train, callbacks, self.steps_per_execution, known=known, steps_to_go=steps_to_go)

    def _options(self) -> dict[str, Any]:
        names = [name for name in inspect.signature(type(self)).parameters if name not in ("run_dir", "callbacks")]
        options = {name: getattr(self, name) for name in names}
        return options | {"distribution": name_of(self.distribution)}
