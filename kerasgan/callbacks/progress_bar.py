"""Progress on the terminal, or in a log file."""

import threading
import time
from typing import TYPE_CHECKING

import keras

from kerasgan.callbacks.progress_lines import Line, Progress, live_line, plain_line, summary_line

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_DRAWS = 0.1


class ProgressBar(keras.callbacks.Callback):
    """Show epoch, step, losses, throughput and time left on one line; leave one line behind per epoch.

    Where the output is no terminal, only those lines are printed. Under plain `model.fit` pass `verbose=0`,
    or Keras prints its own bar as well.

    Args:
        images_per_step: Images in a batch, to show images rather than steps per second. A public
            attribute, which `Trainer` sets.
        console: Where to draw; by default a `rich.console.Console` for standard output.

    Example:
        >>> bar = kg.callbacks.ProgressBar(images_per_step=32)
        >>> gan.fit(images, epochs=10, verbose=0, callbacks=[bar])
    """

    # Keras may then call on_train_batch_end in worker threads, in any order, and need not wait for it.
    # The price: nothing here may touch self.model during an epoch.
    async_safe = True

    def __init__(self, *, images_per_step: int | None = None, console: "Console | None" = None) -> None:
        super().__init__()
        self.images_per_step = images_per_step
        self._given_console = console
        self._lock = threading.Lock()
        self._drawn = False

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Look at the terminal and at what is to be done."""
        from rich.console import Console

        self.close()
        self._console = self._given_console or Console(highlight=False)
        self._epochs: int = self.params["epochs"]
        self._steps: int | None = self.params["steps"]
        self._players = tuple(getattr(self.model, "players", ()))
        self._detail = 0
        self._pace: float | None = None  # seconds a step, validation included, in the last epoch
        self._clock: _Clock | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the epoch's clock."""
        first = self._clock is None
        # Asked again for each epoch: one that is resumed in the middle is shorter than the next.
        self._steps = self.params["steps"] or self._steps
        if self._clock is not None:
            self._pace = self._clock.seconds_per_step(until=time.perf_counter()) or self._pace
        # The first step of a fit is compiled, which says nothing about the others.
        self._clock = _Clock(skip_first=first)
        self._epoch, self._logs, self._last_draw = epoch + 1, dict[str, float](), 0.0
        if first:
            self._draw()  # compiling takes a while, and silence looks like a hang

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Take the newest logs; draw at most ten times a second."""
        with self._lock:
            assert self._clock is not None
            # Worker threads overtake each other.
            if self._clock.advance(batch + 1):
                self._logs = logs or {}
                if self._clock.last - self._last_draw >= SECONDS_BETWEEN_DRAWS:
                    self._draw()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Replace the bar by the epoch's summary."""
        assert self._clock is not None
        seconds = time.perf_counter() - self._clock.began
        self._steps = self._steps or self._clock.step  # now known, if the data could not tell
        progress = self._progress(logs or {}, seconds)
        if not self._console.is_interactive:
            print(plain_line(progress), file=self._console.file, flush=True)
            return
        line, self._detail = summary_line(progress, self._console.width - 1, self._detail)
        self._show(line, end="\n")

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave the cursor on a line of its own."""
        self.close()

    def close(self) -> None:
        """Leave the cursor on a line of its own; may be called twice.

        Keras skips `on_train_end` when a fit raises, so `Trainer` calls this too.
        """
        if self._drawn:
            self._console.print()
            self._drawn = False

    def _draw(self) -> None:
        assert self._clock is not None
        if not self._console.is_interactive:
            return
        self._last_draw = time.perf_counter()
        progress = self._progress(self._logs, self._seconds_left())
        # One column stays free: some terminals wrap a line that fills them.
        width = self._console.width - 1
        self._show(live_line(progress, width, self._console.options.ascii_only), end="")

    def _show(self, line: Line, end: str) -> None:
        # Not rich.live: it hides the cursor and takes over stdout until it is stopped, and a fit that raises
        # never stops it.
        from rich.control import Control
        from rich.segment import ControlType
        from rich.text import Text

        with self._console:  # one write to the terminal, so that nothing flickers
            if self._drawn:
                self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
            self._console.print(Text.assemble(*line), end=end, no_wrap=True, overflow="crop", soft_wrap=False)
        self._console.file.flush()
        self._drawn = not end

    def _progress(self, logs: dict[str, float], seconds: float | None) -> Progress:
        assert self._clock is not None
        pace = self._clock.seconds_per_step()
        rate = 1 / pace if pace else None
        per_step = self.images_per_step
        return Progress(
            epoch=self._epoch,
            epochs=self._epochs,
            step=self._clock.step,
            steps=self._steps,
            logs=logs,
            rate=rate * per_step if rate and per_step else rate,
            unit="images" if per_step else "steps",
            seconds=seconds,
            players=self._players,
        )

    def _seconds_left(self) -> float | None:
        assert self._clock is not None
        pace = self._pace or self._clock.seconds_per_step()
        if pace is None or self._steps is None:
            return None
        return pace * max(0, self._steps * (self._epochs - self._epoch + 1) - self._clock.step)


class _Clock:
    """Times the steps of one epoch, without its first step if that one is compiled."""

    def __init__(self, skip_first: bool) -> None:
        self.began = self.last = time.perf_counter()
        self.step = 0
        self._start: tuple[int, float] | None = None if skip_first else (0, self.began)

    def advance(self, step: int) -> bool:
        """Note that `step` is done; false if a later one was before."""
        if step <= self.step:
            return False
        self.step, self.last = step, time.perf_counter()
        self._start = self._start or (step, self.last)
        return True

    def seconds_per_step(self, until: float | None = None) -> float | None:
        """Mean duration of the steps up to the last one, or up to a moment; None if none was timed."""
        first, start = self._start or (0, self.began)
        if self.step == first:
            return None
        return ((until or self.last) - start) / (self.step - first)
