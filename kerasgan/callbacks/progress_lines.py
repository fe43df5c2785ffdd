"""The lines that `ProgressBar` prints: pure functions from numbers to text of a given width."""

from collections.abc import Sequence
from dataclasses import dataclass

from kerasgan.callbacks.logs import reading_order

# Pieces of a line, each with the name of a rich style.
Line = list[tuple[str, str]]

SHORTEST_BAR, LONGEST_BAR = 4, 30
VOWELS = "aeiou"


@dataclass(frozen=True)
class Progress:
    """How far training is: epochs and steps count from one; `seconds` are left, or taken by an epoch."""

    epoch: int
    epochs: int
    step: int
    steps: int | None
    logs: dict[str, float]
    rate: float | None = None
    unit: str = "steps"
    seconds: float | None = None
    players: Sequence[str] = ()


@dataclass(frozen=True)
class Detail:
    """How much room a line may take: the name of a loss, its digits, the unit of the rate."""

    name: str
    digits: int
    images: str = "images"


# From roomy to tight; a line takes the first that fits.
DETAILS = (Detail("as logged", 4), Detail("without loss", 4), Detail("short", 3, "img"))


def duration(seconds: float) -> str:
    """Say a duration as one would: `2.1 s`, `45 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole} s"


def number(value: float, digits: int = 4) -> str:
    """Write a value with so many digits behind the point, in scientific form where they would not show it."""
    if value == 0 or 10**-digits <= abs(value) < 1e5:
        return f"{value:.{digits}f}"
    return f"{value:.2e}"  # also nan and inf


def short(name: str) -> str:
    """Shorten a log's name to the start of each word: `generator_loss` -> `gen`, `accuracy` -> `acc`."""
    words = name.removesuffix("_loss").split("_")
    return " ".join(word if len(word) <= 4 else word[:4].rstrip(VOWELS) for word in words)


def plain_line(progress: Progress) -> str:
    """One line for a finished epoch, in a log file: names as logged, nothing left out."""
    names = reading_order(progress.logs, progress.players)
    pieces = [
        f"epoch {progress.epoch}/{progress.epochs}",
        *(f"{name} {number(progress.logs[name])}" for name in names),
    ]
    pieces += [text for text, _style in _ending(progress, DETAILS[0])]
    return "  ".join(pieces)


def summary_line(progress: Progress, width: int, detail: int = 0) -> tuple[Line, int]:
    """One line for a finished epoch, on a terminal.

    Args:
        progress: The epoch.
        width: Columns to fit into.
        detail: Index of the first of `DETAILS` to try; what the line before used, for epochs to look alike.

    Returns:
        The line, and the index of the detail it used.
    """
    for index in range(detail, len(DETAILS)):
        pieces = [
            (_head(progress), "bold"),
            *_metrics(progress, DETAILS[index]),
            *_ending(progress, DETAILS[index]),
        ]
        if _columns(_join(pieces)) <= width:
            break
    return _join(_without_the_least(pieces, width)), index


def live_line(progress: Progress, width: int, ascii_only: bool = False) -> Line:
    """The line of the epoch under way: a bar, steps, losses, rate and the time left for all epochs."""
    head = _head(progress) + " "
    counts = f" step {progress.step}"
    if progress.steps is not None:
        counts = f" {progress.step:>{len(str(progress.steps))}}/{progress.steps}"
    width -= len(head)
    for detail in DETAILS:
        pieces = [(counts, ""), *_metrics(progress, detail), *_ending(progress, detail, left=True)]
        if width - _columns(_join(pieces)) >= SHORTEST_BAR:
            break
    line = _join(_without_the_least(pieces, width))
    return [(head, "bold"), *_bar(progress, min(width - _columns(line), LONGEST_BAR), ascii_only), *line]


def _without_the_least(pieces: Line, width: int) -> Line:
    """Leave out what is least missed until the rest fits: the rate, then the last metrics, then the time."""
    pieces = list(pieces)
    while _columns(_join(pieces)) > width and len(pieces) > 1:
        pieces.pop(-2 if len(pieces) > 2 else -1)
    return pieces


def _head(progress: Progress) -> str:
    return f"epoch {progress.epoch:>{len(str(progress.epochs))}}/{progress.epochs}"


def _bar(progress: Progress, length: int, ascii_only: bool) -> Line:
    if progress.steps is None or length < SHORTEST_BAR:
        return []
    done = length * min(progress.step, progress.steps) // progress.steps
    full, empty = ("=", "-") if ascii_only else ("━", "─")
    return [(full * done, "green"), (empty * (length - done), "bright_black")]


def _metrics(progress: Progress, detail: Detail) -> Line:
    training = {name: value for name, value in progress.logs.items() if not name.startswith("val_")}
    validation = {name.removeprefix("val_"): progress.logs[name] for name in progress.logs if name not in training}
    names = reading_order({**training, **validation}, progress.players)
    line: Line = []
    for name, label in zip(names, _labels(names, detail), strict=True):
        text = f"{label} {number(training[name], detail.digits)}" if name in training else label
        if name in validation:
            text += f" (val {number(validation[name], detail.digits)})"
        line.append((text, "cyan"))
    return line


def _labels(names: list[str], detail: Detail) -> list[str]:
    if detail.name == "as logged":
        return names
    shorten = short if detail.name == "short" else lambda name: name.removesuffix("_loss").replace("_", " ")
    labels = [shorten(name) for name in names]
    # Two metrics under one name would be worse than a long line.
    return labels if len(set(labels)) == len(labels) else names


def _ending(progress: Progress, detail: Detail, left: bool = False) -> Line:
    line: Line = []
    if progress.rate is not None:
        unit = detail.images if progress.unit == "images" else progress.unit
        rate = f"{progress.rate:.0f}" if progress.rate >= 100 else f"{progress.rate:.3g}"
        line.append((f"{rate} {unit}/s", "magenta"))
    if progress.seconds is not None:
        # Padded while it counts down, so that the bar keeps its length.
        time = f"{duration(progress.seconds)} left".ljust(15) if left else duration(progress.seconds)
        line.append((time, ""))
    return line


def _join(pieces: Line) -> Line:
    return [(text if index == 0 else "  " + text, style) for index, (text, style) in enumerate(pieces)]


def _columns(line: Line) -> int:
    return sum(len(text) for text, _style in line)
