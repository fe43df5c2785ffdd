"""What the scripts share: the choice of a backend, common options, and errors in one line."""

import argparse
import gc
import importlib.util
import math
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

BACKENDS = ("jax", "tensorflow")


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and the remedy."""
        fail(2, f"{message} (--help lists the options)")


def fail(status: int, message: str) -> NoReturn:
    """Print one line on stderr and exit; what could steer a terminal is escaped."""
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in " ".join(message.split()))
    print(f"error: {line}", file=sys.stderr)
    _exit(status)


def _exit(status: int) -> NoReturn:
    """Exit; one of several processes that fails does not wait for the others, which would wait for it."""
    getattr(sys.modules.get("kerasgan"), "leave", sys.exit)(status)
    sys.exit(status)


def choose_backend() -> None:
    """Settle `KERAS_BACKEND` before Keras is imported, which fixes it for good."""
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    named = os.environ.get("KERAS_BACKEND")
    if named is not None and named not in BACKENDS:
        fail(2, f"KERAS_BACKEND is {named!r}; set it to jax or tensorflow.")
    if named is not None and named not in installed:
        fail(2, f'KERAS_BACKEND is {named}, which is not installed; pip install -e ".[{named}]".')
    if not installed:
        fail(2, 'neither jax nor tensorflow is installed; pip install -e ".[jax]" or ".[tensorflow]".')
    if named is None:
        os.environ["KERAS_BACKEND"] = installed[0]
        others = f" ({installed[1]} is installed too; set KERAS_BACKEND to choose)" if installed[1:] else ""
        print(f"KERAS_BACKEND is not set: running on {installed[0]}{others}.")
    # TensorFlow's C++ side talks on stderr of optimizations that failed; what matters is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def quick_import() -> Iterator[None]:
    """Import Keras in half its time: it takes seconds, most of which no script has any use for.

    Where they are installed, Keras imports scikit-learn for `keras.wrappers`, matplotlib for plots of images, IPython
    to show weight files in a notebook. Here it is told that they are not; afterwards they can be imported as ever.
    And the garbage collector need not look, again and again, at what an import has made, since all of it stays.
    """
    extras = {"IPython", "matplotlib", "sklearn"} - sys.modules.keys()
    sys.modules.update(dict.fromkeys(extras))  # None: Python's mark of what is not there
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        for name in extras:
            del sys.modules[name]
        gc.freeze()
        if collects:
            gc.enable()


@contextmanager
def greetings_withheld() -> Iterator[None]:
    """Keep what C++ libraries print on stderr while they are imported, and show it only if that fails.

    TensorFlow tells of processor features before it looks at any setting that would silence it.
    """
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def positive(text: str) -> int:
    """Read a whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive; give a whole number of at least 1")
    return number


def natural(text: str) -> int:
    """Read a whole number of at least zero."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative; give a whole number of at least 0")
    return number


def at_most(limit: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from one: what is beyond the limit would fill the memory and be of no use."""

    def number(text: str) -> int:
        if positive(text) > limit:
            raise argparse.ArgumentTypeError(f"{text} is too large; give a whole number of at most {limit}")
        return int(text)

    return number


def seed(text: str) -> int:
    """Read what NumPy takes for a seed."""
    if natural(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is too large; give a whole number below {2**32}")
    return int(text)


def share_or_count(text: str) -> int | float:
    """Read a number of things, or a fraction of them below one."""
    number = float(text)
    if not 0 < number < math.inf or (number >= 1 and number != int(number)):
        raise argparse.ArgumentTypeError(f"{text} is neither a whole number nor a fraction below 1")
    return int(number) if number >= 1 else number


def size(text: str) -> int | float:
    """Read a number of examples, or a fraction of them below one; 0 for none."""
    return 0 if text.strip("0.") == "" else share_or_count(text)


def rate(text: str) -> float:
    """Read a learning rate."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no learning rate; give a number between 0 and 1 such as 2e-4")
    return number


def fraction(text: str) -> float:
    """Read a number from 0 up to, but not including, 1."""
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give a number from 0 up to 1 such as 0.5")
    return number


def share(text: str) -> float:
    """Read a number between 0 and 1, both excluded."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give a number between 0 and 1 such as 0.999")
    return number


def path(text: str) -> str:
    """Read a path to something that is there or could be made."""
    try:
        text.encode()
        os.stat(text)
    except FileNotFoundError:
        pass
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!a} is not UTF-8; choose another name") from None
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be used ({error.strerror}); choose another path") from None
    # Where x is not there yet, x/.. would make it and then fill the directory around it.
    return os.path.realpath(text) if ".." in text.split(os.sep) else text


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
    add("--epochs", type=positive, help="epochs to train for")
    add("--max-steps", type=positive, metavar="N", help="end after so many training steps")
    add(
        "--batch-size",
        type=positive,
        metavar="N",
        help="images a step",
    )
    add("--seed", type=seed, default=0, help="seed of weights, data order and latents (default: %(default)s)")
    add(
        "--precision",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
        default="float32",
        help="what the layers compute in (default: %(default)s)",
    )
    add(
        "--steps-per-execution",
        type=lambda text: text if text == "auto" else positive(text),
        default="auto",
        metavar="N",
        help="training steps that run as one program; auto times a few (default: %(default)s)",
    )
    add("--profile", type=positive, metavar="N", help="trace N training steps for TensorBoard's profiler")
    add("--run-dir", type=path, metavar="DIR", help="where everything goes (default: a fresh numbered one in runs/)")
    add("--resume", action="store_true", help="go on from the newest good checkpoint in --run-dir")
    add("--allow-changes", action="store_true", help="resume with other settings, such as another learning rate")
    add("--fast-dev-run", action="store_true", help="one batch of everything, nothing kept: does it work?")
    add(
        "--limit-train-batches",
        type=share_or_count,
        metavar="N",
        help="batches of an epoch, or a fraction of them",
    )
    add(
        "--checkpoint-every-epochs",
        type=positive,
        default=1,
        metavar="N",
        help="checkpoints at the ends of epochs (default: %(default)s)",
    )
    add("--checkpoint-every-steps", type=positive, metavar="N", help="checkpoints within epochs too")
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
        type=path,
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
    add("--num-processes", type=positive, metavar="N", help="how many processes there are")
    add("--process-id", type=natural, metavar="I", help="which one this is, from 0; process 0 writes the run directory")
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


# What processes of one run may be told differently: machines differ in where things lie.
_OF_A_MACHINE = ("process_id", "data_dir", "compile_cache", "debug")


def connect(options: Namespace) -> None:
    """Join the other processes, if the options name some."""
    import kerasgan as kg

    address = [getattr(options, name, None) for name in ("coordinator", "num_processes", "process_id")]
    if address == [None] * 3 and not getattr(options, "distributed", False):
        return
    kg.connect(*address)
    kg.agree({name: value for name, value in vars(options).items() if name not in _OF_A_MACHINE}, "command line")


def run(main: Callable[[Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse, run `main(options)`, and turn what is expected to go wrong into one line and an exit status.

    0 done; 1 training failed; 2 bad input or usage; 130 after SIGINT and 143 after SIGTERM.
    """
    options = parser.parse_args()
    if getattr(options, "resume", False) and options.run_dir is None:
        fail(2, "--resume needs --run-dir, the directory of the run to go on with.")
    if getattr(options, "allow_changes", False) and not options.resume:
        fail(2, "--allow-changes goes with --resume: a new run has no settings to change.")
    choose_backend()
    try:
        with greetings_withheld(), quick_import():
            import kerasgan as kg
    except KeyboardInterrupt:  # It takes seconds.
        sys.exit(130)
    try:
        connect(options)
        kg.together(main)(options)
    except kg.Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(128 + interrupted.signal)
    except KeyboardInterrupt:
        _exit(130)
    except ValueError as error:
        _report(2, error, options)
    except kg.PeerLost as error:
        _report(1, error, options)
    except (kg.callbacks.NonFiniteLoss, kg.checkpoints.CheckpointWriteError, kg.tuning.TuningError, OSError) as error:
        _report(1, error, options)
    except kg.checkpoints.CheckpointError as error:
        _report(2, error, options)  # One to go on from is damaged or not there.


def _report(status: int, error: Exception, options: Namespace) -> NoReturn:
    if options.debug:
        raise error
    fail(status, str(error))
