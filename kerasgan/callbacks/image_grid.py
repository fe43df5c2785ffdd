"""Sample images after every epoch, from the same latents."""

from pathlib import Path
from typing import Any, ClassVar

from kerasgan.callbacks.base import RunCallback
from kerasgan.callbacks.events import EventWriter, open_writer
from kerasgan.callbacks.images import as_png, grid
from kerasgan.callbacks.logs import global_step
from kerasgan.callbacks.sampling import refuse_without_generate
from kerasgan.checkpoints import write_atomically
from kerasgan.checkpoints.files import make_directory


class ImageGrid(RunCallback):
    """Save what the generator makes of the same latents as `epoch-0001.png`, `epoch-0002.png`, ...

    A `ConditionalGAN` fills one row for each class, with the same latents in all of them.

    Args:
        directory: Where the pictures go; under `Trainer` by default `samples/` of the run directory.
        count: Images in a grid, about; as many columns as rows need for that number, at least one.
        every_n_epochs: Epochs from one picture to the next.
        seed: Chooses the latents.
        log_dir: TensorBoard's directory, where the pictures also go, under the tag `samples`; under `Trainer`
            by default `tensorboard/` of the run directory, under plain `model.fit` nowhere.

    Raises:
        ValueError: `count` or `every_n_epochs` is not positive; or there is no directory as training begins.
        TypeError: The model has no `generate(count, seed=...)` when training begins.
        OSError: The disk refused; it names the file and what would help.

    Example:
        >>> gan.fit(images, epochs=10, callbacks=[kg.callbacks.ImageGrid("samples", count=16)])
    """

    argument: ClassVar[str] = "directory"
    place_in_run: ClassVar[str] = "samples"

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        count: int = 64,
        every_n_epochs: int = 1,
        seed: int = 0,
        log_dir: str | Path | None = None,
    ) -> None:
        super().__init__(directory)
        if count < 1:
            raise ValueError(f"count is {count}; choose a positive number of images such as 64.")
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs is {every_n_epochs}; choose a positive number such as 1.")
        self.count = count
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self._given_log_dir = None if log_dir is None else Path(log_dir)
        self._writer: EventWriter | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Check that there is something to draw, and a place for it."""
        super().on_train_begin(logs)
        refuse_without_generate(self.model, "ImageGrid can draw")
        # Only now: a run directory that is removed during training is an error, and not made anew.
        make_directory(self.place)
        self.close()
        log_dir = self.place_for(self._given_log_dir, "tensorboard")
        if log_dir is not None:
            self._writer = open_writer(log_dir, step=global_step(self.model))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw, if it is this epoch's turn."""
        if (epoch + 1) % self.every_n_epochs:
            return
        picture = self._picture()
        write_atomically(self.place / f"epoch-{epoch + 1:04d}.png", as_png(picture))
        if self._writer is not None:
            self._writer.image("samples", picture, global_step(self.model))
            self._writer.flush()

    def _picture(self) -> Any:
        classes = getattr(self.model, "num_classes", None)
        if classes is None or not hasattr(self.model, "generate_by_class"):
            return grid(self.model.generate(self.count, seed=self.seed))
        columns = max(1, self.count // classes)
        images = self.model.generate_by_class(columns, seed=self.seed)
        return grid(images.reshape(-1, *images.shape[2:]), columns=columns)

    def close(self) -> None:
        """Release the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
