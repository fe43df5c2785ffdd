"""The options that several scripts share."""

import argparse
from argparse import Namespace
from typing import Any

import values


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to train on."""
    add = parser.add_argument
    add(
        "--dataset",
        default="digits",
        metavar="NAME",
        help="digits, mnist, fashion_mnist, stacked_mnist, or a PATH to an .npz, "
        "a directory of IDX files, or a directory of images with one sub-directory a class (default: digits)",
    )
    add(
        "--data-dir",
        metavar="DIR",
        help="where the files of mnist or fashion_mnist lie (default: KERASGAN_DATA_DIR, else Keras's download cache)",
    )


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every training script has; `--epochs` and `--batch-size` are None unless given."""
    add_data_options(parser)
    add = parser.add_argument
    add(
        "--stream",
        action="store_true",
        help="leave a directory of images or shards on the disk, and read each batch just before its turn",
    )
    add("--epochs", type=values.positive, help="epochs to train for")
    add("--max-steps", type=values.positive, metavar="N", help="end after so many training steps")
    add(
        "--batch-size",
        type=values.positive,
        metavar="N",
        help="images a step",
    )
    add("--seed", type=values.seed, default=0, help="seed of weights, data order and latents (default: %(default)s)")
    add(
        "--precision",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
        default="float32",
        help="what the layers compute in (default: %(default)s)",
    )
    add(
        "--steps-per-execution",
        type=lambda text: text if text == "auto" else values.positive(text),
        default="auto",
        metavar="N",
        help="training steps that run as one program; auto times a few (default: %(default)s)",
    )
    add("--profile", type=values.positive, metavar="N", help="trace N training steps for TensorBoard's profiler")
    add(
        "--run-dir",
        type=values.path,
        metavar="DIR",
        help="where everything goes (default: a fresh numbered one in runs/)",
    )
    add("--resume", action="store_true", help="go on from the newest good checkpoint in --run-dir")
    add("--allow-changes", action="store_true", help="resume with other settings, such as another learning rate")
    add("--fast-dev-run", action="store_true", help="one batch of everything, nothing kept: does it work?")
    add(
        "--limit-train-batches",
        type=values.share_or_count,
        metavar="N",
        help="batches of an epoch, or a fraction of them",
    )
    add(
        "--checkpoint-every-epochs",
        type=values.positive,
        default=1,
        metavar="N",
        help="checkpoints at the ends of epochs (default: %(default)s)",
    )
    add("--checkpoint-every-steps", type=values.positive, metavar="N", help="checkpoints within epochs too")
    add(
        "--on-nan",
        choices=["stop", "restore"],
        default="stop",
        help="when a loss, a gradient or a weight is no longer finite: stop, or restore the last good checkpoint and "
        "go on with another order of the data (default: %(default)s)",
    )
    add(
        "--compile-cache",
        nargs="?",
        const=True,
        type=values.path,
        metavar="DIR",
        help="keep what JAX compiles for the next run, which then starts in seconds (without DIR: in the user's cache; "
        "default: KERASGAN_COMPILE_CACHE, else off)",
    )
    add("--debug", action="store_true", help="show where an error came from")
    _add_devices(parser)


def _add_devices(parser: argparse.ArgumentParser) -> None:
    """Add the options of several devices and several machines."""
    add = parser.add_argument_group("several devices, several machines").add_argument
    add(
        "--distribution",
        choices=["auto", "data_parallel"],
        help="let every device compute its part of each batch; auto: if there are several (default: auto with several "
        "processes, else a single device)",
    )
    add(
        "--coordinator",
        metavar="HOST:PORT",
        help="the machine of process 0 and a free port of it, of several processes",
    )
    add("--num-processes", type=values.positive, metavar="N", help="how many processes there are")
    add(
        "--process-id",
        type=values.natural,
        metavar="I",
        help="which one this is, from 0; process 0 writes the run directory",
    )
    add(
        "--distributed",
        action="store_true",
        help="several processes, and the environment says which: Slurm's, JAX_COORDINATOR_ADDRESS, TF_CONFIG, ...",
    )


def trainer_options(options: Namespace) -> dict[str, Any]:
    """Return the arguments of `kg.Trainer` that the common options stand for."""
    return {
        "max_epochs": options.epochs,
        "max_steps": options.max_steps,
        "precision": options.precision,
        "steps_per_execution": options.steps_per_execution,
        "seed": options.seed,
        "fast_dev_run": options.fast_dev_run,
        "limit_train_batches": options.limit_train_batches,
        "on_nan": options.on_nan,
        "compile_cache": options.compile_cache,
        "profile": options.profile,
        "distribution": options.distribution,
    }
