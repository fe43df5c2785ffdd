"""The end of a run, whatever ended it: what still goes wrong there must not hide the reason."""

from collections.abc import Iterator
from contextlib import contextmanager

from kerasgan.trainer import presentation


@contextmanager
def last_words(status: str) -> Iterator[None]:
    """Let the disk refuse what is written at the end of a run that has failed already, and say so on stderr.

    A full disk that ends a run is still full when `results.json` is written; the first error has the better place.

    Args:
        status: `"done"` for a run that went well: there the refusal is the error.
    """
    try:
        yield
    except OSError as error:
        if status == "done":
            raise
        presentation.warn(str(error))
