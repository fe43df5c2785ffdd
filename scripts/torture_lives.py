"""What `torture.py` torments: five small runs, each of which may live several times, each time as a new process."""

import csv
import faulthandler
import hashlib
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import program

EPOCHS, BATCHES, BATCH_SIZE = 3, 8, 8
STEPS = EPOCHS * BATCHES
SAVE_EVERY = 3
CASES = {
    "dcgan": "DCGAN with dropout and BatchNormalization",
    "wgan_gp": "WGAN-GP, 3 critic steps",
    "classifier": "CNN classifier, EarlyStopping, ReduceLROnPlateau",
    "ema_schedule": "GAN under weight EMA and a cosine schedule",
    "bfloat16": "DCGAN in mixed_bfloat16",
}
LONGEST_LIFE_SECONDS = 200.0
# What a life tells through its pipe, a byte each: a step begins, a save begins, a save is over, training is over.
STEP, SAVING, SAVED, TRAINED = b"t", b"s", b"e", b"f"


def pin_threads() -> None:
    """Have one thread compute, since equal bits need equal threads; to be called before a backend is imported."""
    for name in ("NPROC", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"


def build(case: str) -> tuple[Any, Any, list[Any]]:
    """Return the compiled module of a case, its data, and callbacks that remember something."""
    import keras

    import kerasgan as kg
    from kerasgan import testing

    if case == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    images, labels, callbacks = testing.tiny_images(STEPS // EPOCHS * BATCH_SIZE + BATCH_SIZE), None, []
    players = ("generator", "discriminator")
    if case in ("dcgan", "bfloat16"):
        module = kg.GAN.dcgan((8, 8, 1), latent_dim=8, seed=0)
    elif case == "wgan_gp":
        module = testing.TinyWassersteinGAN(critic_steps=3)
    elif case == "classifier":
        labels = [index % 2 for index in range(len(images))]
        module = kg.Classifier(kg.networks.convnet.classifier(testing.IMAGE_SHAPE, 2, padding="same"))
        module.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", ["accuracy"])
        hopeless = {"monitor": "val_loss", "min_delta": 1e9}
        callbacks = [
            keras.callbacks.ReduceLROnPlateau(patience=1, **hopeless),
            keras.callbacks.EarlyStopping(patience=EPOCHS, **hopeless),
        ]
    else:
        module = testing.tiny_gan()
        rate = keras.optimizers.schedules.CosineDecay(1e-2, STEPS)
        ema = {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 5}
        module.compile(optimizer={player: keras.optimizers.Adam(rate, **ema) for player in players})
    return module, kg.data.DataModule(images, labels, batch_size=BATCH_SIZE, val_size=BATCH_SIZE), callbacks


def digest(module: Any, run_dir: Path) -> str:
    """Return the sha256 of what a run has led to.

    Of all tensors, with their names, dtypes and shapes, of what was best, and of every figure of `metrics.csv` but the
    seconds. Running means are left out: they are zero at the beginning of an epoch, and are what `metrics.csv` shows.
    """
    import kerasgan as kg

    sha256 = hashlib.sha256()
    for name, array in sorted(kg.checkpoints.capture(module).items()):
        if not name.startswith("metric/"):
            sha256.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    best = run_dir / "checkpoints" / "best.json"
    sha256.update(best.read_bytes() if best.exists() else b"")
    with (run_dir / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            sha256.update(str(sorted((name, value) for name, value in row.items() if name != "wall_seconds")).encode())
    return sha256.hexdigest()


def forget(run_dir: Path, forgets: Callable[[str, str], bool], position: bool = False) -> None:
    """Make the newest checkpoint of a run one that lacks something, to show that the run then ends differently.

    Args:
        run_dir: A run that was stopped in the middle of an epoch.
        forgets: Told the name and the Keras path of an array, says whether it becomes what a fresh module has.
        position: Whether to forget the place within the epoch, too.
    """
    import kerasgan as kg

    store = kg.checkpoints.CheckpointStore(run_dir / "checkpoints")
    fresh = kg.checkpoints.CheckpointStore(run_dir.with_suffix(".fresh")).load(0)
    stopped = store.load()
    lost = {name for name, path in fresh.metadata["paths"].items() if forgets(name, path)}
    arrays = {name: fresh.arrays[name] if name in lost else array for name, array in stopped.arrays.items()}
    store.save(stopped.step, arrays, stopped.metadata | ({"batch": 0} if position else {}))


def train(
    run_dir: Path, case: str, tell: Callable[[bytes], Any], stop_at: int | None, end_in_save: tuple[int, float] | None
) -> str:
    """Train a run from where it stands to its end, and return the digest of its state."""
    import keras

    import kerasgan as kg

    class Checkpoint(kg.callbacks.Checkpoint):
        saves = 0

        def save(self) -> Path:
            tell(SAVING)
            self.saves += 1
            if end_in_save is not None and self.saves == end_in_save[0]:
                # Nobody handles SIGALRM, so the process ends as by SIGKILL: at once, and without a word.
                signal.setitimer(signal.ITIMER_REAL, end_in_save[1])
            path = super().save()
            tell(SAVED)
            return path

    class Teller(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.steps = 0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            tell(STEP)
            self.steps += 1
            if self.steps == stop_at:
                signal.raise_signal(signal.SIGTERM)

        def on_train_end(self, logs: Any = None) -> None:
            tell(TRAINED)

    module, data, callbacks = build(case)
    paths = {name: variable.path for name, variable in kg.checkpoints.named_variables(module).items()}
    run_dir.with_suffix(".fresh").mkdir(exist_ok=True)
    kg.checkpoints.CheckpointStore(run_dir.with_suffix(".fresh")).save(
        0, kg.checkpoints.capture(module), {"paths": paths}
    )
    grid = [kg.callbacks.ImageGrid(count=4)] if hasattr(module, "generate") else []
    best = {"monitor": "val_accuracy", "mode": "max"} if case == "classifier" else {}
    checkpoint = Checkpoint(every_n_steps=SAVE_EVERY, **best)
    every = [*callbacks, *grid, checkpoint, Teller()]
    trainer = kg.Trainer(run_dir, max_epochs=EPOCHS, callbacks=every)
    trainer.fit(module, data, resume=(run_dir / "config.json").exists())
    return digest(module, run_dir)


# A process in which a backend runs may not fork: what another of its threads has locked at that moment stays locked in
# the new one for ever. So lives are forked by a server that has imported everything and started nothing.
_nursery = multiprocessing.get_context("forkserver")
_nursery.set_forkserver_preload(["kerasgan.testing"])


class Life:
    """A process of its own that trains a run until it is done, stopped or killed.

    One that takes `LONGEST_LIFE_SECONDS` writes into its log where it hangs, and fails.

    Args:
        run_dir: The directory of the run, new or to be resumed.
        case: One of `CASES`.
        stop_at: Sends itself SIGTERM during this step of its own, counted from one.
        end_in_save: In which of its saves it ends, counted from one, and how many seconds after that has begun.
    """

    def __init__(
        self, run_dir: Path, case: str, stop_at: int | None = None, end_in_save: tuple[int, float] | None = None
    ) -> None:
        self.run_dir, self.steps, self.saving, self.trained = run_dir, 0, False, False
        self.final = run_dir.with_suffix(".final")
        self._hears, tells = _nursery.Pipe(duplex=False)
        self._process = _nursery.Process(target=_live, args=(tells, run_dir, self.final, case, stop_at, end_in_save))
        with program.greetings_withheld():  # The first one starts the server, which imports the backend.
            self._process.start()
        tells.close()

    def events(self) -> Iterator[bytes]:
        """Yield what the process tells, byte by byte, until it is gone."""
        while byte := os.read(self._hears.fileno(), 1):
            self.steps += byte == STEP
            self.trained = self.trained or byte == TRAINED
            self.saving = byte == SAVING or (self.saving and byte != SAVED)
            yield byte

    def send(self, number: int) -> None:
        """Send the process a signal, if it is still there."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def end(self) -> int:
        """Wait for the end of the process, hear what it still had to say, and return its exit status."""
        for _ in self.events():
            pass
        self._hears.close()
        self._process.join()
        return self._process.exitcode or 0


def _live(
    tells: Connection, run_dir: Path, final: Path, case: str, stop_at: int | None, end_in_save: tuple[int, float] | None
) -> NoReturn:
    """Train in a process of its own, and leave the digest of the state that this has led to."""
    status = 1
    log = os.open(run_dir.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.dump_traceback_later(LONGEST_LIFE_SECONDS, exit=True)
    try:
        final.write_text(train(run_dir, case, lambda byte: os.write(tells.fileno(), byte), stop_at, end_in_save))
        status = 0
    except BaseException as error:
        number = getattr(error, "signal", None)
        status = 1 if number is None else 128 + number
        if number is None:
            traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
