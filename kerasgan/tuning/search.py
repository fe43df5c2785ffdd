"""A search of hyperparameters, from the first trial to the final model."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgan.data import DataModule
from kerasgan.metrics import Trial
from kerasgan.trainer import Interrupted
from kerasgan.tuning import final, report
from kerasgan.tuning.conditions import Conditions
from kerasgan.tuning.space import SPACES, augmentation_of, baselines
from kerasgan.tuning.study import (
    FILE,
    TuningError,
    check_run_dir,
    discard,
    done,
    next_trial,
    open_study,
    require_optuna,
    rows_of,
)
from kerasgan.tuning.trial import run_trial

if TYPE_CHECKING:
    import optuna


class Search:
    """Search the hyperparameters of a classifier, and train the best ones longer.

    A trial is a short training with its own run directory. Optuna proposes its settings by what earlier trials came
    to, and ends it early where others were better by then. The study, in `run_dir/study.sqlite3`, outlives kills and
    holds nothing of a backend: a search begun on TensorFlow can be resumed on JAX.

    Args:
        run_dir: Where everything goes. A directory that holds a study or other files is never overwritten.
        load: Returns a labelled `kg.data.DataModule` for the keywords `batch_size`, which is part of the search,
            `val_size` and `seed`: `kg.data.load` or `kg.data.DataModule` with the other arguments filled in.
        network: What to search: `"convnet"` or `"dense"`.
        trials: How many in all, counted over all resumes.
        epochs: Epochs a trial.
        max_minutes: Begin no further trial after so long; None for no limit.
        val_size: Training images to choose by, or a fraction of them below 1.
        augment: Names for `kg.layers.augmentation`, of changes to the training images; none leaves them alone.
        seed: Of search, weights and data.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        limit_train_batches: Batches of an epoch, or a fraction of them.
        fast_dev_run: Make every training one batch that leaves nothing but its score: does all of it work?

    Raises:
        ModuleNotFoundError: Optuna is not installed.
        ValueError: An option is out of range.

    Example:
        >>> load = functools.partial(kg.data.load, "fashion_mnist")
        >>> search = kg.tuning.Search("runs/tuned", load, network="convnet", trials=20, epochs=4)
        >>> best = search.run()[0]
        >>> best.settings["optimizer"], best.value
        >>> search.train_final(epochs=15)["accuracy"]
    """

    def __init__(
        self,
        run_dir: str | Path,
        load: Callable[..., DataModule],
        *,
        network: str = "convnet",
        trials: int = 20,
        epochs: int = 4,
        max_minutes: float | None = None,
        val_size: int | float = 0.1,
        augment: Sequence[str] = (),
        seed: int = 0,
        precision: str = "float32",
        limit_train_batches: int | float | None = None,
        fast_dev_run: bool = False,
    ) -> None:
        require_optuna()
        self.run_dir = Path(run_dir)
        self.trials, self.max_minutes = trials, max_minutes
        for name, number in {"trials": trials, "max_minutes": max_minutes}.items():
            if number is not None and not number > 0:
                raise ValueError(f"{name} is {number}; choose a positive number.")
        augmentation_of(augment)  # complains now, if it does
        self.conditions = Conditions(
            network=network,
            epochs=epochs,
            seed=seed,
            val_size=val_size,
            precision=precision,
            limit_train_batches=limit_train_batches,
            augment=augment,
            fast_dev_run=fast_dev_run,
        )
        self._load = load
        self._loaded: dict[int, DataModule] = {}

    def run(self, *, resume: bool = False) -> list[Trial]:
        """Run trials until there are enough of them or the time is up, and write `report.md`.

        A trial that has begun is finished; one that a signal or a kill cuts off is run again, with the same settings,
        by the call that resumes. Between trials Keras's global state is cleared, as `keras.utils.clear_session` does.

        Args:
            resume: Go on with the study of the run directory.

        Returns:
            The trials that came to their end, the best first. The rest is in `trials.csv`.

        Raises:
            Interrupted: A signal came during a trial; those before it are kept.
            TuningError: The study cannot be used, or no trial came to its end.
            ValueError: The directory holds a study or other files and `resume` is False, or no study and it is True;
                the study was begun under other conditions; the data has no labels.
        """
        check_run_dir(self.run_dir, resume)
        data = self._data(1)
        study = open_study(self.run_dir, self.conditions.on(data))
        examples = ", ".join(f"{split.num_examples:,} {name}" for name, split in data.splits.items())
        height, width, channels = data.image_shape
        print(f"{data.name}: {data.num_classes} classes, images {height}x{width}x{channels}: {examples}")
        wanted = f"{report.counted(self.trials, 'trial')} of {report.counted(self.conditions.epochs, 'epoch')}"
        print(f"{wanted}, {self.conditions.network}\n{report.KEY}\n")
        self._try_settings(study)
        trials = rows_of(study)
        best = report.ranked(trials)
        if not best:
            raise TuningError(
                f"none of {report.counted(len(trials), 'trial')} came to its end; --resume with more --trials."
            )
        report.show_best(trials)
        report.write_report(self.run_dir, self.conditions, data, trials, study.user_attrs.get("final", {}))
        return best

    def train_final(self, epochs: int = 15) -> dict[str, Any]:
        """Train the best settings longer, in `run_dir/final`, and judge them; `report.md` then says so too.

        The test split is looked at here and nowhere else. What was cut off is resumed, and what is done is not done
        again.

        Args:
            epochs: Epochs to train for.

        Returns:
            `trial` and `epochs`; `validation`, the accuracy after the last epoch; `split` (`"test"`, or `"validation"`
            where there is no test split), the `accuracy` there and its number of `images`.

        Raises:
            Interrupted: A signal came; the state is saved.
            NonFiniteLoss: The training diverged.
            TuningError: The study cannot be used, or no trial came to its end.
            ValueError: `run` was not called before; the study was begun under other conditions; or `final` holds
                another training than this.
        """
        if epochs < 1:
            raise ValueError(f"epochs is {epochs}; choose a positive number.")
        if not (self.run_dir / FILE).exists():
            raise ValueError(f"{self.run_dir} holds no study; run the search first.")
        data = self._data(1)
        study = open_study(self.run_dir, self.conditions.on(data))
        trials = rows_of(study)
        best = report.ranked(trials)
        if not best:
            raise TuningError(
                f"none of {report.counted(len(trials), 'trial')} in {self.run_dir} came to its end; run more."
            )
        directory = self.run_dir / "final"
        found = final.finished(study, directory, best[0], epochs)
        if found is None:
            batches = self._data(best[0].settings["batch_size"])
            found = final.train(study, directory, best[0], epochs, self.conditions, batches)
        else:
            print()
        print(f"{found['split']}  accuracy {found['accuracy']:.4f}")
        report.write_report(self.run_dir, self.conditions, data, trials, found)
        return found

    def _data(self, batch_size: int) -> DataModule:
        """Return the data in batches of that size, read once."""
        if batch_size not in self._loaded:
            shared = {"val_size": self.conditions.val_size, "seed": self.conditions.seed}
            data = self._load(batch_size=batch_size, **shared)
            if data.num_classes is None:
                raise ValueError(f"{data.name} has no labels, and a classifier learns from them; label it.")
            if data.validation is None:
                raise ValueError(f"{data.name} has no validation split to choose by; let load heed val_size.")
            self._loaded[batch_size] = data
        return self._loaded[batch_size]

    def _try_settings(self, study: "optuna.Study") -> None:
        """Run trial after trial; a line and a row each."""
        deadline = None if self.max_minutes is None else time.monotonic() + 60 * self.max_minutes
        shown, best = 0, -1.0
        print(report.heading(self.conditions.network))
        while True:
            rows = rows_of(study)
            for row in rows[shown:]:  # the first time, also those of earlier calls
                value = row.value if row.complete and row.value is not None else -1.0
                print(report.trial_line(row, value > best), flush=True)
                best = max(best, value)
            shown = len(rows)
            report.write_table(self.run_dir / "trials.csv", rows)
            if done(study) >= self.trials:
                return
            if deadline is not None and time.monotonic() > deadline:
                print(f"The {self.max_minutes:g} minutes are up.")
                return
            self._try_once(study)

    def _try_once(self, study: "optuna.Study") -> None:
        data, space = self._data(1), SPACES[self.conditions.network]
        size = data.image_shape, data.train.num_examples
        trial = next_trial(study, self.conditions.seed, baselines(self.conditions.network, *size))
        try:
            settings = space(trial, *size)
            trial.set_user_attr("settings", settings)
            batches = self._data(settings["batch_size"])
            received = run_trial(study, trial, settings, self.conditions, batches, self.run_dir)
            if received is not None:
                raise Interrupted(received, saved=True)
        except BaseException as error:
            discard(study, self.run_dir, trial.number)
            if isinstance(error, Interrupted):
                # A single training would say that nothing was saved.
                kept = f"{report.counted(done(study), 'trial')} kept in {self.run_dir}; --resume to go on"
                error.args = (f"Stopped by {error.signal.name}: {kept}.",)
            raise
