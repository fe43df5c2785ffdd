"""Search the hyperparameters of a classifier, train the best ones longer, and judge them once on the test split.

    KERAS_BACKEND=tensorflow python scripts/tune_classifier.py --dataset fashion_mnist --run-dir runs/tuned
    KERAS_BACKEND=tensorflow python scripts/tune_classifier.py --dataset fashion_mnist --run-dir runs/tuned --resume
    tensorboard --logdir runs/tuned/trials

A trial is a short training with its own run directory. Optuna proposes its parameters by what earlier trials came to,
and ends it early where others were better by then. The study in RUN_DIR/study.sqlite3 holds nothing of a backend: a
search begun on TensorFlow can be resumed on JAX.

On TensorFlow, 9 trials of 3 epochs took 18 min 41 s on 2 cores of an AMD EPYC that other jobs shared, and the best of
them, trained for 20 epochs, 24 min: 0.9341 on the test set. The README has the command.
"""

import argparse
import functools
import signal
import sys
import tempfile
from pathlib import Path

import options
import program
import values


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    # Trainer minds the signals while it trains; this is for the moments between.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if not args.fast_dev_run:
        run_dir = Path(args.run_dir or kg.fresh_run_dir("runs", f"tuned-{args.network}-{Path(args.dataset).stem}"))
        tune(args, run_dir)
        show_places(run_dir)
        return
    if args.resume:
        program.fail(2, "--fast-dev-run keeps nothing, so there is nothing to --resume; leave one out.")
    args.trials, args.epochs, args.final_epochs = min(args.trials, 2), 1, min(args.final_epochs, 1)
    with tempfile.TemporaryDirectory(prefix="kerasgan-dev-run-") as directory:
        tune(args, Path(directory) / "run")


def tune(args: program.Namespace, run_dir: Path) -> None:
    """Search, and train the best."""
    import kerasgan as kg

    try:
        search = kg.tuning.Search(
            run_dir,
            functools.partial(kg.data.load, args.dataset, data_dir=args.data_dir),
            network=args.network,
            trials=args.trials,
            epochs=args.epochs,
            max_minutes=args.timeout,
            val_size=args.val_size,
            augment=args.augment,
            seed=args.seed,
            precision=args.precision,
            limit_train_batches=args.limit_train_batches,
            fast_dev_run=args.fast_dev_run,
        )
    except ModuleNotFoundError as error:  # Optuna is an extra.
        program.fail(2, str(error))
    search.run(resume=args.resume)
    if args.final_epochs:
        search.train_final(args.final_epochs)


def show_places(run_dir: Path) -> None:
    """Print where everything lies."""
    print()
    for name, place in {"report": "report.md", "plot": "trials.png", "table": "trials.csv", "final": "final"}.items():
        if (run_dir / place).exists():
            print(f"{name:<8}{run_dir / place}")
    print(f"{'logs':<8}tensorboard --logdir {run_dir / 'trials'}")


def minutes(text: str) -> float:
    """Read a time."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is no time; give a number of minutes such as 90")
    return number


if __name__ == "__main__":
    parser = program.Parser(description="Search the hyperparameters of a classifier, and train the best ones.")
    options.add_data_options(parser)
    add = parser.add_argument
    add("--network", choices=["convnet", "dense"], default="convnet", help="what to search (default: %(default)s)")
    add("--trials", type=values.positive, default=20, metavar="N", help="trials in all (default: %(default)s)")
    add("--epochs", type=values.positive, default=4, metavar="N", help="epochs a trial (default: %(default)s)")
    add("--final-epochs", type=values.natural, default=15, metavar="N", help="epochs for the best settings; 0 ends "
        "with the search (default: %(default)s)")  # fmt: skip
    add("--timeout", type=minutes, metavar="MINUTES", help="begin no further trial after so long")
    add("--val-size", type=values.share_or_count, default=0.1, metavar="N", help="training images to choose by, or a "
        "fraction of them (default: %(default)s)")  # fmt: skip
    add("--augment", nargs="+", default=[], metavar="HOW", help="change training images at random, in the trials and "
        "in the end: shift, rotate, zoom, flip, erase")  # fmt: skip
    add("--seed", type=values.seed, default=0, help="seed of search, weights and data (default: %(default)s)")
    add("--precision", choices=["float32", "mixed_bfloat16", "mixed_float16"], default="float32", help="what the "
        "layers compute in (default: %(default)s)")  # fmt: skip
    add("--limit-train-batches", type=values.share_or_count, metavar="N", help="batches of an epoch, or a fraction "
        "of them")  # fmt: skip
    add(
        "--run-dir",
        type=values.path,
        metavar="DIR",
        help="where everything goes (default: a fresh numbered one in runs/)",
    )
    add("--resume", action="store_true", help="go on with the study in --run-dir")
    add("--fast-dev-run", action="store_true", help="one batch of everything, nothing kept: does it work?")
    add("--debug", action="store_true", help="show where an error came from")
    program.run(main, parser)
