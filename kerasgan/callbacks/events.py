"""TensorBoard's event files, written without TensorFlow: one open file per log directory.

TensorBoard reads the event files of a run one after another and does not go back, so two callbacks that
write at the same time must share a file.
"""

import itertools
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.checkpoints.files import explain, make_directory

_open_writers: dict[Path, "EventWriter"] = {}
_numbers = itertools.count()


def open_writer(log_dir: str | Path, *, step: int) -> "EventWriter":
    """Open the event file of `log_dir`, or join those who have it open.

    Args:
        log_dir: The directory of one run; made if missing.
        step: Steps trained so far. What an interrupted run has logged beyond is dropped by TensorBoard.

    Returns:
        A writer. Whoever opened it calls `close` once; the last one closes the file.

    Raises:
        OSError: The disk refused; it names the file and what would help.
    """
    path = Path(log_dir).resolve()
    writer = _open_writers.get(path)
    # A fit that raised may have left a writer behind, and its user may have deleted the file since.
    if writer is None or not writer.exists():
        writer = _open_writers[path] = EventWriter(path)
    writer.users += 1
    writer.drop_beyond(step)
    return writer


class EventWriter:
    """An open event file; get one from `open_writer`.

    Events are written in the caller's thread: tensorboardX's `SummaryWriter` hands them to a queue, which its
    `flush` does not empty, so that the last epoch of a killed run would be lost, and a full disk would kill only that
    queue's thread. Here it is an `OSError` that names the file and what would help; what was written before stays.
    """

    def __init__(self, log_dir: Path) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import RecordWriter

        self.log_dir = log_dir
        self.users = 0
        # TensorBoard takes files in the order of these seconds, and looks for "tfevents" in their names. The rest keeps
        # a second fit within a second from truncating the file of the first.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_numbers):04d}"
        self.path = log_dir / name
        make_directory(log_dir)
        with self._refusals():
            self._records = RecordWriter(str(self.path))
            self._records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def exists(self) -> bool:
        """Whether the file still lies where it was made."""
        return self.path.exists()

    def drop_beyond(self, step: int) -> None:
        """Have TensorBoard forget what was logged after `step`; a resumed run logs it again."""
        from tensorboardX.proto.event_pb2 import SessionLog

        self._write(step + 1, session_log=SessionLog(status=SessionLog.START))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add a point to a curve."""
        from tensorboardX.proto.summary_pb2 import Summary

        # Not summary.scalar(): it turns the spaces of a tag into underscores.
        self._write(step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))

    def image(self, tag: str, picture: npt.NDArray[np.uint8], step: int) -> None:
        """Add a picture, `(height, width, channels)`."""
        from tensorboardX import summary

        self._write(step, summary=summary.image(tag, picture, dataformats="HWC"))

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Add a page of Markdown."""
        from tensorboardX import summary

        self._write(step, summary=summary.text(tag, markdown))

    def session_start(self, hyperparameters: Mapping[str, str | int | float | bool], step: int) -> None:
        """Say what this run was started with, for the HPARAMS tab."""
        from tensorboardX import summary

        # Without the experiment summary TensorBoard lists the hyperparameters and scalars of all runs; with
        # it, those of the first run it finds, which hides the metrics of every other kind of model.
        _experiment, start, _end = summary.hparams(dict(hyperparameters), {})
        self._write(step, summary=start)

    def session_end(self, step: int) -> None:
        """Say that this run has ended well, for the HPARAMS tab; its metrics are the last scalars."""
        from tensorboardX import summary

        _experiment, _start, end = summary.hparams({}, {})
        self._write(step, summary=end)

    def flush(self) -> None:
        """Bring everything to the disk."""
        with self._refusals():
            self._records.flush()

    def close(self) -> None:
        """Let go of the file, and close it if nobody else has it open."""
        self.users -= 1
        if self.users <= 0:
            if _open_writers.get(self.log_dir) is self:
                del _open_writers[self.log_dir]
            with self._refusals():
                self._records.close()

    def _write(self, step: int, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        with self._refusals():
            self._records.write(Event(wall_time=time.time(), step=step, **content).SerializeToString())

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Closed at once, with what is still buffered, or the same error would come again out of a destructor.
            if _open_writers.get(self.log_dir) is self:
                del _open_writers[self.log_dir]
            with suppress(OSError, AttributeError):
                self._records.close()
            raise OSError(error.errno, f"not written: {explain(error)}", str(self.path)) from error
