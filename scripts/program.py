"""How every script starts and ends: the choice of a backend, other processes, and errors in one line."""

import argparse
import gc
import importlib.util
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

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
