"""Train the same GAN by kerasgan, stock Keras, TensorFlow's tutorial, Lightning and by hand, and compare the speed.

    python scripts/benchmark.py
    python scripts/benchmark.py --workload tiny
    python scripts/benchmark.py --precision mixed_bfloat16 --json benchmark.json

Whoever is installed takes part; `pip install -e ".[jax,tensorflow,peers]"` brings all of them. Each is a process of
its own, which stays alive and trains a round when its turn comes: what slows the machine down slows all. Compiling
falls into rounds that are not counted. docs/performance.md says what each does, and what was measured.
"""

import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import options
from peers import report
from peers.contestants import BY_NAME, CONTESTANTS, IN_BFLOAT16, Contestant
from peers.processes import Failed, Worker, started
from peers.workloads import WORKLOADS


def main(args: options.Namespace) -> None:
    workload = WORKLOADS[args.workload].changed(batch_size=args.batch_size, steps=args.steps)
    contestants = chosen(args)
    skipped = {one.name: reason for one in contestants if (reason := one.missing())}
    present = [one for one in contestants if one.name not in skipped]
    print(f"{workload.name}: {workload.steps} steps of {workload.batch_size} images a round, {args.rounds} rounds")
    for name, reason in skipped.items():
        print(f"{name}: skipped, {reason}")
    if not present:
        options.fail(2, 'nobody to compare is installed; pip install -e ".[jax,tensorflow,peers]".')

    machine = report.machine()
    if said := report.warning(machine):
        print(f"warning: {said}", file=sys.stderr)
    more = {} if args.steps_per_execution is None else {"steps_per_execution": args.steps_per_execution}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as runs, started(present, workload, more, Path(runs)) as all_:
        finished, failed = race(all_, args.warmup, args.rounds, args.debug)
        answers = {worker.contestant.name: worker.answers[args.warmup :] for worker in finished}
    results = report.figures(workload, {name: [one["seconds"] for one in rounds] for name, rounds in answers.items()})
    print(*report.table(results), sep="\n")
    if args.json:
        for name, found in results.items():
            found["processor_seconds"] = [one["processor_seconds"] for one in answers[name]]
            found["peak_megabytes"] = answers[name][-1]["peak_megabytes"]
        said = {"rounds": args.rounds, "machine": machine, "versions": report.versions(), "left_out": skipped | failed}
        Path(args.json).write_text(json.dumps({"workload": asdict(workload), **said, "contestants": results}, indent=2))
        print(f"figures: {args.json}")
    if failed:
        options.fail(1, "; ".join(f"{name} {reason}" for name, reason in failed.items()))


def chosen(args: options.Namespace) -> list[Contestant]:
    """Return who was asked for."""
    if args.only:
        return [BY_NAME[name] for name in dict.fromkeys(args.only)]
    return CONTESTANTS + (IN_BFLOAT16 if args.precision == "mixed_bfloat16" else [])


def race(workers: list[Worker], warmup: int, rounds: int, debug: bool = False) -> tuple[list[Worker], dict[str, str]]:
    """Let all train by turns.

    Args:
        workers: Started.
        warmup: Rounds that do not count: compilers and caches are at work in them.
        rounds: Rounds that do.
        debug: Whether to show all that a contestant said before it died.

    Returns:
        Those who came to the end, and `{name: what went wrong}` of the others.
    """
    failed: dict[str, str] = {}
    weights: dict[str, int] = {}

    def attempt(worker: Worker, action: Any) -> Any:
        try:
            return action()
        except Failed as failure:
            failed[worker.contestant.name] = str(failure)
            if debug:
                print(failure.said, file=sys.stderr)

    for worker in workers:
        weights[worker.contestant.name] = attempt(worker, worker.ready)
    trained = next((count for count in weights.values() if count), 0)
    for name, count in weights.items():
        if count not in (None, trained):
            failed[name] = f"trains {count:,} weights, where the others train {trained:,}"
    for number in range(warmup + rounds):
        running = [worker for worker in workers if worker.contestant.name not in failed]
        began = time.perf_counter()
        # There and back again, so that nobody always comes after the same one.
        for worker in running if number % 2 == 0 else reversed(running):
            attempt(worker, worker.round)
        counted = f"round {number - warmup + 1} of {rounds}" if number >= warmup else "warm-up, not counted"
        print(f"{counted}: {time.perf_counter() - began:.1f} s", flush=True)
    return [worker for worker in workers if worker.contestant.name not in failed], failed


def steps_per_execution(text: str) -> int | str:
    """Read what `kg.Trainer` takes."""
    return text if text == "auto" else options.positive(text)


if __name__ == "__main__":
    parser = options.Parser(description="Compare the speed of kerasgan with that of its peers, on the same GAN.")
    add = parser.add_argument
    add("--workload", choices=list(WORKLOADS), default="dcgan", help="a DCGAN on 28x28 images, or a tiny dense GAN, "
        "where the time between steps counts (default: %(default)s)")  # fmt: skip
    add("--batch-size", type=options.positive, metavar="N", help="images a step (default: 256; 8 for tiny)")
    add("--steps", type=options.positive, metavar="N", help="steps in a round (default: 4; 2000 for tiny)")
    add("--rounds", type=options.positive, default=5, metavar="N", help="rounds that count (default: %(default)s)")
    add("--warmup", type=options.positive, default=2, metavar="N", help="rounds before them (default: %(default)s)")
    add("--only", action="append", choices=list(BY_NAME), metavar="NAME", help="one contestant, may be repeated: "
        + ", ".join(BY_NAME))  # fmt: skip
    add("--precision", choices=["float32", "mixed_bfloat16"], default="float32", help="mixed_bfloat16 adds kerasgan "
        "and Lightning in that precision (default: %(default)s)")  # fmt: skip
    add("--steps-per-execution", type=steps_per_execution, metavar="N", help="of kerasgan's trainer, a number or auto "
        "(default: the trainer's own)")  # fmt: skip
    add("--debug", action="store_true", help="show all that a contestant said which failed")
    add("--json", type=options.path, metavar="FILE", help="write the figures there")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # on the way out the contestants are ended
    try:
        main(parser.parse_args())
    except OSError as error:
        options.fail(1, str(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
