"""What a search of hyperparameters says: a line a trial, a table of the best, and the files that keep it all."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasgan.callbacks import save_png
from kerasgan.checkpoints import write_atomically
from kerasgan.data import DataModule
from kerasgan.metrics import Trial, draw_trials
from kerasgan.metrics.tables import escape, table
from kerasgan.tuning.conditions import Conditions
from kerasgan.tuning.space import words

BEST = 10
MARKS = {"complete": "", "pruned": "cut", "diverged": "NaN", "failed": "lost"}
STATES = {"complete": "complete", "pruned": "ended early", "diverged": "diverged", "failed": "cut off and run again"}
# Wide enough for the longest settings that 28x28 pixels may get; a line has 80 columns.
WIDTHS = {"trial": 5, "score": 6, "": 4, "s": 5, "network": 24, "dense": 5, "drop": 4, "optimizer": 14, "batch": 5}
LEFT = ("", "network", "optimizer")
KEY = "score: the last val_accuracy; best: so far; cut: ended early; s: seconds"


def heading(network: str) -> str:
    """Return the line above those of the trials."""
    return _line({name: name for name in WIDTHS if name != "dense" or network == "convnet"})


def trial_line(trial: Trial, best: bool) -> str:
    """Say how a trial went."""
    return _line(_cells(trial, "best" if best else MARKS[trial.state]))


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Return the complete trials, the best first, of equals the earlier."""
    return sorted((trial for trial in trials if trial.complete), key=lambda trial: (-(trial.value or 0), trial.number))


def show_best(trials: Sequence[Trial]) -> None:
    """Print a table of the best trials."""
    from rich.console import Console
    from rich.table import Table

    rows = [_unmarked(trial) for trial in ranked(trials)[:BEST]]
    title = f"The best {len(rows)} trials" if len(rows) > 1 else "The best trial"
    shown = Table(box=None, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for name in rows[0]:
        shown.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
    for place, cells in enumerate(rows):
        shown.add_row(*cells.values(), style="bold" if place == 0 else None)
    console = Console(highlight=False)
    console.print()
    console.print(shown, soft_wrap=True)


def write_table(path: Path, trials: Sequence[Trial]) -> None:
    """Write every trial as a row: number, state, value, seconds, then a column a parameter."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.settings))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "state", "value", "seconds", *names])
    for trial in trials:
        value = "" if trial.value is None else f"{trial.value:.9g}"
        seconds = "" if trial.seconds is None else f"{trial.seconds:.3f}"
        settings = [trial.settings.get(name, "") for name in names]
        writer.writerow([trial.number, trial.state, value, seconds, *settings])
    write_atomically(path, text.getvalue().encode())


def write_report(
    run_dir: Path, conditions: Conditions, data: DataModule, trials: Sequence[Trial], final: Mapping[str, Any]
) -> None:
    """Write `trials.csv`, `trials.png` and `report.md`, which links to all there is.

    Args:
        run_dir: Of the search.
        conditions: Those of every trial.
        data: What was trained on.
        trials: All of them, at least one of them complete.
        final: What came of training the best settings longer; without `accuracy` if that is not done.
    """
    write_table(run_dir / "trials.csv", trials)
    save_png(run_dir / "trials.png", draw_trials(trials))
    text = page(data.name, budget(run_dir, conditions, data, trials), trials, final)
    write_atomically(run_dir / "report.md", text.encode())


def budget(run_dir: Path, conditions: Conditions, data: DataModule, trials: Sequence[Trial]) -> dict[str, str]:
    """Say what a search cost, and on what it ran."""
    states = [trial.state for trial in trials]
    ended = ", ".join(f"{states.count(state)} {text}" for state, text in STATES.items() if state in states)
    configs = [json.loads(path.read_bytes()) for path in sorted(run_dir.glob("trials/*/config.json"))]
    limit = conditions.limit_train_batches
    return {
        "data": data.name,
        "images to train on": f"{data.train.num_examples:,}",
        "images to choose by": f"{data.splits['validation'].num_examples:,}",
        "network": conditions.network,
        "trials": f"{len(trials)}: {ended}",
        "epochs a trial": str(conditions.epochs),
        "batches an epoch": "all" if limit is None else f"{limit} of them" if limit < 1 else f"at most {limit}",
        "augmentation": ", ".join(conditions.augment) or "none",
        "wall seconds of all trials": f"{sum(trial.seconds or 0.0 for trial in trials):,.0f}",
        "backend": "; ".join(sorted({config["versions"]["engine"] for config in configs})),
        "devices": "; ".join(sorted({", ".join(config["devices"]) for config in configs})),
        "precision": conditions.precision,
        "seed": str(conditions.seed),
    }


def page(title: str, costs: Mapping[str, str], trials: Sequence[Trial], final: Mapping[str, Any]) -> str:
    """Return the report in Markdown; its links are relative, so that the directory may be moved."""
    best = ranked(trials)
    rows = [_unmarked(trial) for trial in best[:BEST]]
    settings = [[escape(name), escape(str(value))] for name, value in best[0].settings.items()]
    parts = [
        f"# {escape(title)}: search of hyperparameters",
        table(["budget", "value"], [[name, escape(value)] for name, value in costs.items()]),
        f"## Best parameters\n\nThose of trial {best[0].number}, by its last `val_accuracy`.",
        table(["parameter", "value"], settings),
        "## Trials\n\n![Score of every trial, in order and against each parameter](trials.png)",
        f"The best {len(rows)}, where `score` is the last `val_accuracy` and `s` are seconds. "
        "[trials.csv](trials.csv) has all of them, `tensorboard --logdir trials` their curves.",
        table(list(rows[0]), [list(row.values()) for row in rows]),
    ]
    if "accuracy" in final:
        facts = {
            "epochs": str(final["epochs"]),
            "last validation accuracy": f"{final['validation']:.4f}",
            f"{final['split']} accuracy": f"{final['accuracy']:.4f}",
            f"{final['split']} images": f"{final['images']:,}",
        }
        parts += ["## Final model", table(["result", "value"], [list(fact) for fact in facts.items()])]
        parts += ["The best parameters, trained longer: [report](final/report.md), [network](final/model.keras)."]
    return "\n\n".join(parts) + "\n"


def counted(number: int, what: str) -> str:
    """Return such as `1 trial` and `2 trials`."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def _cells(trial: Trial, mark: str) -> dict[str, str]:
    score = "-" if trial.value is None else f"{trial.value:.4f}"
    seconds = "-" if trial.seconds is None else f"{trial.seconds:.0f}"
    return {"trial": str(trial.number), "score": score, "": mark, "s": seconds, **words(dict(trial.settings))}


def _unmarked(trial: Trial) -> dict[str, str]:
    return {name: text for name, text in _cells(trial, "").items() if name}


def _line(cells: Mapping[str, str]) -> str:
    padded = [text.ljust(WIDTHS[name]) if name in LEFT else text.rjust(WIDTHS[name]) for name, text in cells.items()]
    return " ".join(padded).rstrip()
