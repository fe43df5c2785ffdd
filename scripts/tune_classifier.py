"""Search the hyperparameters of a classifier, train the best ones longer, and judge them once on the test split.

    KERAS_BACKEND=tensorflow python scripts/tune_classifier.py --dataset fashion_mnist --run-dir runs/tuned
    KERAS_BACKEND=tensorflow python scripts/tune_classifier.py --dataset fashion_mnist --run-dir runs/tuned --resume
    tensorboard --logdir runs/tuned/trials

A trial is a short training with its own run directory. Optuna proposes its parameters by what earlier trials came to,
and ends it early where others were better by then. The study in RUN_DIR/study.sqlite3 holds nothing of a backend: a
search begun on TensorFlow can be resumed on JAX.

Not yet measured.
"""

import argparse
import functools
import importlib.util
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import options
import search_space

if TYPE_CHECKING:
    import optuna

    import kerasgan as kg

DataFor = Callable[[int], "kg.data.DataModule"]


def main(args: options.Namespace) -> None:
    import kerasgan as kg

    if importlib.util.find_spec("optuna") is None:
        options.fail(2, 'the search needs optuna, which is not installed; pip install -e ".[tune]".')
    # Trainer minds the signals while it trains; this is for the moments between.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if not args.fast_dev_run:
        args.run_dir = Path(args.run_dir or kg.fresh_run_dir("runs", f"tuned-{args.network}-{Path(args.dataset).stem}"))
        tune(args)
        return
    if args.resume:
        options.fail(2, "--fast-dev-run keeps nothing, so there is nothing to --resume; leave one out.")
    args.trials, args.epochs, args.final_epochs = min(args.trials, 2), 1, min(args.final_epochs, 1)
    with tempfile.TemporaryDirectory(prefix="kerasgan-dev-run-") as directory:
        args.run_dir = Path(directory) / "run"
        tune(args)


def tune(args: options.Namespace) -> None:
    """Search, train the best, write the report."""
    # These import Keras, which had to wait until the backend was chosen.
    import search_report
    from search_study import check_run_dir, open_study, rows_of

    import kerasgan as kg

    check_run_dir(args.run_dir, args.resume)
    search_space.augmentation_of(args.augment)  # complains now, if it does

    @functools.cache
    def data_for(batch_size: int) -> "kg.data.DataModule":
        return kg.data.load(
            args.dataset, data_dir=args.data_dir, batch_size=batch_size, val_size=args.val_size, seed=args.seed
        )

    data = data_for(1)
    if data.num_classes is None:
        raise ValueError(f"{data.name} has no labels, and a classifier learns from them; label it.")
    study = open_study(args, data)
    examples = ", ".join(f"{split.num_examples:,} {name}" for name, split in data.splits.items())
    height, width, channels = data.image_shape
    print(f"{data.name}: {data.num_classes} classes, images {height}x{width}x{channels}: {examples}")
    print(f"{counted(args.trials, 'trial')} of {counted(args.epochs, 'epoch')}, {args.network}\n{search_report.KEY}\n")
    search(study, args, data_for)
    trials = rows_of(study)
    if not search_report.ranked(trials):
        options.fail(1, f"none of {counted(len(trials), 'trial')} came to its end; --resume with more --trials.")
    search_report.show_best(trials)
    search_report.write_report(args, data, trials, study.user_attrs.get("final", {}))
    if args.final_epochs:
        train_final(study, args, data_for)
        search_report.write_report(args, data, trials, study.user_attrs["final"])
    if not args.fast_dev_run:
        search_report.show_places(args.run_dir)


def search(study: "optuna.Study", args: options.Namespace, data_for: DataFor) -> None:
    """Run trials until there are enough of them or the time is up; a trial that has begun is finished."""
    import search_report
    from search_study import discard, done, next_trial, rows_of
    from search_trial import run_trial

    import kerasgan as kg

    deadline = None if args.timeout is None else time.monotonic() + 60 * args.timeout
    space, data, shown, best = search_space.SPACES[args.network], data_for(1), 0, -1.0
    print(search_report.heading(args.network))
    while True:
        rows = rows_of(study)
        for row in rows[shown:]:  # the first time, also those of earlier calls
            improved = row.complete and row.value > best
            best = row.value if improved else best
            print(search_report.trial_line(row, improved), flush=True)
        shown = len(rows)
        search_report.write_table(args.run_dir / "trials.csv", rows)
        if done(study) >= args.trials:
            return
        if deadline is not None and time.monotonic() > deadline:
            print(f"The {args.timeout:g} minutes are up.")
            return
        trial = next_trial(study, args.seed)
        try:
            settings = space(trial, data.image_shape, data.train.num_examples)
            trial.set_user_attr("settings", settings)
            received = run_trial(study, trial, settings, args, data_for(settings["batch_size"]))
            if received is not None:
                raise kg.Interrupted(received, saved=True)
        except BaseException as error:
            discard(study, args.run_dir, trial.number)
            if isinstance(error, kg.Interrupted):
                # A single training would say that nothing was saved.
                kept = f"{counted(done(study), 'trial')} kept in {args.run_dir}; --resume to go on"
                error.args = (f"Stopped by {error.signal.name}: {kept}.",)
            raise


def train_final(study: "optuna.Study", args: options.Namespace, data_for: DataFor) -> None:
    """Train the best settings for `--final-epochs`; the test split is looked at here and nowhere else."""
    from search_trial import steps_of, trainer_for

    import kerasgan as kg

    directory = args.run_dir / "final"
    wanted = {"trial": study.best_trial.number, "epochs": args.final_epochs}
    begun = study.user_attrs.get("final")
    if begun is not None and directory.exists():
        if {name: begun[name] for name in wanted} != wanted:
            raise ValueError(
                f"{directory} holds trial {begun['trial']}, trained for {counted(begun['epochs'], 'epoch')}, and now "
                f"trial {wanted['trial']} is to be trained for {wanted['epochs']}; move it away and --resume."
            )
        if "accuracy" in begun:
            print(f"\n{begun['split']}  accuracy {begun['accuracy']:.4f}")
            return
    study.set_user_attr("final", wanted)
    settings = study.best_trial.user_attrs["settings"]
    data = data_for(settings["batch_size"])
    report = kg.callbacks.ClassificationReport()
    checkpoint = kg.callbacks.Checkpoint(monitor="val_accuracy", mode="max")
    trainer = trainer_for(args, directory, args.final_epochs, [checkpoint, report])
    steps = steps_of(args, data, args.final_epochs)
    classifier = search_space.build(settings, data, steps=steps, augment=args.augment)
    trainer.fit(classifier, data, resume=(directory / "config.json").exists())
    if report.assessment is None:
        # It was killed between its last epoch and the report, and had nothing left to train.
        report.bind(directory)
        report.describe(data)
        report.write(classifier)
    found = {
        "validation": trainer.validate(classifier, data)["accuracy"],
        "split": "validation" if data.test is None else "test",
        "accuracy": report.assessment.accuracy,
        "images": report.assessment.count,
    }
    study.set_user_attr("final", {**wanted, **found})
    print(f"{found['split']}  accuracy {found['accuracy']:.4f}")


def counted(number: int, what: str) -> str:
    """Return such as `1 trial` and `2 trials`."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def minutes(text: str) -> float:
    """Read a time."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is no time; give a number of minutes such as 90")
    return number


if __name__ == "__main__":
    parser = options.Parser(description="Search the hyperparameters of a classifier, and train the best ones.")
    add = parser.add_argument
    add("--dataset", default="digits", metavar="NAME", help="digits, mnist, fashion_mnist, or a PATH to an .npz, a "
        "directory of IDX files, or one of images with a sub-directory a class (default: %(default)s)")  # fmt: skip
    add("--data-dir", metavar="DIR", help="where the files of mnist or fashion_mnist lie (default: KERASGAN_DATA_DIR, "
        "else Keras's download cache)")  # fmt: skip
    add("--network", choices=list(search_space.SPACES), default="convnet", help="what to search (default: %(default)s)")
    add("--trials", type=options.positive, default=20, metavar="N", help="trials in all (default: %(default)s)")
    add("--epochs", type=options.positive, default=4, metavar="N", help="epochs a trial (default: %(default)s)")
    add("--final-epochs", type=options.natural, default=15, metavar="N", help="epochs for the best settings; 0 ends "
        "with the search (default: %(default)s)")  # fmt: skip
    add("--timeout", type=minutes, metavar="MINUTES", help="begin no further trial after so long")
    add("--val-size", type=options.share_or_count, default=0.1, metavar="N", help="training images to choose by, or a "
        "fraction of them (default: %(default)s)")  # fmt: skip
    add("--augment", nargs="+", default=[], metavar="HOW", help="change training images at random, in the trials and "
        "in the end: shift, rotate, zoom, flip, erase")  # fmt: skip
    add("--seed", type=options.natural, default=0, help="seed of search, weights and data (default: %(default)s)")
    add("--precision", choices=["float32", "mixed_bfloat16", "mixed_float16"], default="float32", help="what the "
        "layers compute in (default: %(default)s)")  # fmt: skip
    add("--limit-train-batches", type=options.share_or_count, metavar="N", help="batches of an epoch, or a fraction "
        "of them")  # fmt: skip
    add("--run-dir", metavar="DIR", help="where everything goes (default: a fresh numbered one in runs/)")
    add("--resume", action="store_true", help="go on with the study in --run-dir")
    add("--fast-dev-run", action="store_true", help="one batch of everything, nothing kept: does it work?")
    add("--debug", action="store_true", help="show where an error came from")
    options.run(main, parser)
