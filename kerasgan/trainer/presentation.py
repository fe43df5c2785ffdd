"""What a run says on the terminal: one short table at its start, one at its end."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from kerasgan import backends
from kerasgan.callbacks.logs import global_step
from kerasgan.checkpoints import environment
from kerasgan.trainer.feed import Feed, Position
from kerasgan.trainer.run_directory import RunDirectory


def show_start(module: keras.Model, config: dict[str, Any], feed: Feed, run: RunDirectory, start: Position) -> None:
    """Print what is about to be trained, on what, from where on, and where it goes."""
    data, here = config["data"], environment()  # the configuration says what has begun the run
    shape = "x".join(str(side) for side in data.get("image_shape", ()))
    images = data.get("examples", {}).get("train")
    batches = feed.batches_per_epoch
    done = f"step {global_step(module):,}, {start.epoch:,} epochs" + (
        f", {start.batch:,} batches" if start.batch else ""
    )
    _show(
        {
            "module": type(module).__name__,
            "backend": here["versions"]["engine"] + f", keras {here['versions']['keras']}",
            "devices": ", ".join(here["devices"]) + (f"; {here['distribution']}" if here["distribution"] else ""),
            "precision": config["precision"],
            "data": ", ".join(
                part
                for part in (
                    data["name"],
                    f"{images:,} images" if images else "",
                    shape,
                    f"{batches:,} x {feed.batch_size} an epoch" if batches and feed.batch_size else "",
                )
                if part
            ),
            "parameters": _parameters(module),
            "run directory": run.path,
            "goes on after": None if start == Position() else done,
        }
    )


def show_end(run: RunDirectory, exported: Sequence[Path], results: dict[str, Any], rehearsal: bool) -> None:
    """Print what came out and how to look at it; of a rehearsal nothing did."""
    if rehearsal:
        print("\nEvery part ran; nothing was kept.")
        return
    samples = sorted(run.samples.glob("epoch-*.png"))
    speed = results["images_per_second"]
    rows = {
        "trained": f"{results['steps']:,} steps, {results['epochs']} epochs, {results['wall_seconds']:,.0f} s"
        + (f", {speed:,.0f} images/s" if speed else ""),
        "samples": samples[-1] if samples else None,
        "report": run.report_file if run.report_file.exists() else None,
        "model": ", ".join(str(path) for path in exported) or None,
        "metrics": run.metrics_file if run.metrics_file.exists() else None,
        "logs": f"tensorboard --logdir {run.tensorboard}" if run.tensorboard.exists() else None,
    }
    _show(rows)


def warn(message: str) -> None:
    """Print one line on stderr; of several processes one does."""
    if backends.process_index() == 0:
        print(f"warning: {message}", file=sys.stderr)


@contextmanager
def disk_errors_after(status: str) -> Iterator[None]:
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
        warn(str(error))


def as_markdown(config: dict[str, Any]) -> str:
    """Return a configuration as a page for TensorBoard, without the layers of the networks."""
    brief = {name: value for name, value in config.items() if name != "module"}
    return f"```json\n{json.dumps(brief, indent=2, default=str)}\n```"


def _parameters(module: keras.Model) -> str:
    if not module.built:
        return "not built yet"
    players = getattr(module, "players", None)
    if not players:
        return f"{module.count_params():,}"
    return ", ".join(f"{player} {getattr(module, player).count_params():,}" for player in players)


def _show(rows: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    shown = {name: value for name, value in rows.items() if value}
    console, width = Console(highlight=False), max(map(len, shown))
    console.print()
    for name, value in shown.items():
        # Soft: a path that is broken into lines cannot be copied.
        console.print(Text.assemble((f"{name:<{width}}  ", "dim"), str(value)), soft_wrap=True)
    console.print()
