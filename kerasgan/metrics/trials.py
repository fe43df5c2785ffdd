"""How a search of hyperparameters went: trial by trial, and against each parameter."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.figures import (
    BLUE,
    EDGE,
    HEADER,
    INK,
    ORANGE,
    PALE_INK,
    TRACK,
    add_axes,
    as_pixels,
    new_figure,
    one_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
_PANEL = (1.75, 1.6)  # Inches, without its title and what stands along its axes.
_LEFT, _ABOVE, _BELOW, _BETWEEN = 0.5, 0.4, 0.3, 0.1
_HISTORY, _BELOW_HISTORY = 2.4, 0.45  # Inches, of the panel above them.
_MANY_VALUES = 6  # Of a number, beyond which each has no place of its own.
_WIDE, _VERY_WIDE = 5, 20  # From smallest to largest: beyond, an axis is logarithmic; one with powers of ten alone.
_SHOWN_DEPTH = 4.0  # How far below the best the axis reaches, in distances from the best to the median.
_LETTERS, _SMALL_LETTERS = 8.5, 7.0
_MANY_LETTERS = 19  # In all labels below a panel: larger ones would touch.


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        number: From 0, in the order they began.
        state: `"complete"`, `"pruned"` (ended early, for others were better by then), `"diverged"` or `"failed"`.
        value: What is to be large, such as the last `val_accuracy`; None if there is none.
        seconds: Wall time; None if it is not known.
        settings: The parameters by name: str, bool, int or float.
    """

    number: int
    state: str
    value: float | None
    seconds: float | None
    settings: Mapping[str, Any]

    @property
    def complete(self) -> bool:
        """Whether it came to its end, so that its value can be compared."""
        return self.state == "complete" and self.value is not None


def draw_trials(trials: Sequence[Trial], metric: str = "val_accuracy") -> npt.NDArray[np.uint8]:
    """Draw the value of every trial in order, and below against each parameter that was varied.

    Args:
        trials: In any order; those without a value are left out. So that one bad trial does not flatten all others, a
            value far below the rest is drawn as a triangle on the lower edge.
        metric: What the values are.

    Returns:
        The picture, `(height, width, 3)`, at most 1600 pixels wide.

    Raises:
        ValueError: No trial has a finite value.
    """
    shown = [trial for trial in trials if trial.value is not None and math.isfinite(trial.value)]
    shown.sort(key=lambda trial: trial.number)
    if not shown:
        raise ValueError("trials holds no value to draw; give at least one trial that has been judged.")
    names = _varied(shown)
    across, down = _LEFT + _PANEL[0] + _BETWEEN, _ABOVE + _PANEL[1] + _BELOW
    width = 2 * EDGE + _COLUMNS * across - _BETWEEN
    top = HEADER + _HISTORY + _BELOW_HISTORY
    height = top + math.ceil(len(names) / _COLUMNS) * down + 0.1
    complete = sum(trial.complete for trial in shown)
    facts = f"{metric}, {complete} complete, {len(shown) - complete} ended early"
    figure = new_figure(width, height, "Trials", facts)
    limits = _limits([float(trial.value or 0.0) for trial in shown])
    _draw_legend(figure, shown, limits[0])
    _draw_history(add_axes(figure, EDGE + _LEFT, HEADER, width - 2 * EDGE - _LEFT, _HISTORY), shown, limits)
    for index, name in enumerate(names):
        row, column = divmod(index, _COLUMNS)
        axes = add_axes(figure, EDGE + column * across + _LEFT, top + row * down + _ABOVE, *_PANEL)
        _draw_parameter(axes, name, [trial for trial in shown if name in trial.settings], limits)
        if column:
            axes.tick_params(labelleft=False)
    return as_pixels(figure)


def _varied(trials: Sequence[Trial]) -> list[str]:
    """Return the parameters that have more than one value, in the order of the settings."""
    names = dict.fromkeys(name for trial in trials for name in trial.settings)
    return [name for name in names if len({str(trial.settings.get(name)) for trial in trials}) > 1]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    best = max(values)
    depth = _SHOWN_DEPTH * (best - statistics.median(values))
    lowest = max(min(values), best - depth) if depth else min(values)
    margin = 0.07 * (best - lowest) or 0.01
    return lowest - margin, best + margin


def _draw_history(axes: "Axes", trials: Sequence[Trial], limits: tuple[float, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    _draw_points(axes, [float(trial.number) for trial in trials], trials, limits)
    numbers: list[int] = []
    best: list[float] = []
    for trial in trials:
        if trial.complete:
            numbers.append(trial.number)
            best.append(max([*best[-1:], float(trial.value or 0.0)]))
    if numbers:
        axes.step([*numbers, trials[-1].number], [*best, best[-1]], where="post", color=ORANGE, linewidth=1.6, zorder=1)
    axes.set_xlim(trials[0].number - 0.5, trials[-1].number + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.set_xlabel("trial", fontsize=_LETTERS, color=PALE_INK)
    _style(axes)


def _draw_parameter(axes: "Axes", name: str, trials: Sequence[Trial], limits: tuple[float, float]) -> None:
    values = [trial.settings[name] for trial in trials]
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    letters = _LETTERS
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numeric and (len(distinct) > _MANY_VALUES or isinstance(distinct[0], float)):
        _draw_points(axes, [float(value) for value in values], trials, limits)
        _scale(axes, distinct[0], distinct[-1])
    else:
        _draw_points(axes, [float(distinct.index(value)) for value in values], trials, limits)
        for place, choice in enumerate(distinct):
            judged = [
                float(trial.value or 0.0) for trial in trials if trial.complete and trial.settings[name] == choice
            ]
            if judged:
                middle = max(statistics.median(judged), limits[0])
                axes.plot([place - 0.28, place + 0.28], [middle, middle], color=ORANGE, linewidth=1.6, zorder=1)
        labels = [_label(choice) for choice in distinct]
        letters = _LETTERS if len("".join(labels)) < _MANY_LETTERS else _SMALL_LETTERS
        axes.set_xticks(range(len(distinct)), labels, parse_math=False)
        axes.set_xlim(-0.6, len(distinct) - 0.4)
    title: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "parse_math": False}
    axes.annotate(one_line(name, 24), (0, 1), (0, 6), fontsize=10, fontweight="bold", color=INK, **title)
    _style(axes)
    axes.tick_params(axis="x", labelsize=letters)


def _scale(axes: "Axes", smallest: float, largest: float) -> None:
    """Lay out the axis of a number; its labels are so few that they do not touch."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if smallest > 0 and largest / smallest > _WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if largest / smallest < _VERY_WIDE else (1,)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.margins(x=0.1)


def _label(choice: Any) -> str:
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return f"{choice:g}" if isinstance(choice, float) else one_line(str(choice), 10)


def _draw_points(axes: "Axes", places: Sequence[float], trials: Sequence[Trial], limits: tuple[float, float]) -> None:
    """Draw a point each: filled where a trial was complete, a triangle where its value lies below the axis."""
    edge = limits[0] + 0.03 * (limits[1] - limits[0])
    for place, trial in zip(places, trials, strict=True):
        value = float(trial.value or 0.0)
        below = value < limits[0]
        axes.plot(
            place,
            edge if below else value,
            marker="v" if below else "o",
            markersize=5,
            markeredgewidth=1.2,
            markeredgecolor=BLUE if trial.complete else PALE_INK,
            markerfacecolor=BLUE if trial.complete else "none",
            clip_on=False,
            zorder=3,
        )
    axes.set_ylim(*limits)


def _style(axes: "Axes") -> None:
    axes.tick_params(labelsize=_LETTERS, colors=PALE_INK, length=0, which="both")
    axes.grid(axis="y", color=TRACK)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(TRACK)


def _draw_legend(figure: "Figure", trials: Sequence[Trial], lowest: float) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    point: dict[str, Any] = {"linestyle": "", "markersize": 5}
    handles = [Line2D([], [], color=BLUE, marker="o", label="complete", **point)]
    if any(not trial.complete for trial in trials):
        handles.append(Line2D([], [], color=PALE_INK, marker="o", markerfacecolor="none", label="ended early", **point))
    if any(float(trial.value or 0.0) < lowest for trial in trials):
        handles.append(Line2D([], [], color=PALE_INK, marker="v", markerfacecolor="none", label="far below", **point))
    handles.append(Line2D([], [], color=ORANGE, linewidth=1.8, label="best so far; median of a choice"))
    style: dict[str, Any] = {"frameon": False, "borderpad": 0.0, "borderaxespad": 0.0, "handlelength": 1.2}
    style |= {"loc": "upper right", "bbox_to_anchor": (1 - EDGE / width, 1 - 0.58 / height)}
    figure.legend(handles=handles, ncols=len(handles), fontsize=9, labelcolor=INK, **style)
