"""Train the same networks by kerasgan, stock Keras, TensorFlow's tutorial, Lightning and by hand; compare the speed.

    python scripts/benchmark.py
    python scripts/benchmark.py --batch-size 64
    python scripts/benchmark.py --workload tiny
    python scripts/benchmark.py --workload memory --json memory.json
    python scripts/benchmark.py --scaling --rounds 3 --only kerasgan-jax

Whoever is installed takes part; `pip install -e ".[jax,tensorflow,stream,bench]"` brings all of them. Each is a process
of its own, which stays alive and trains a round when its turn comes: what slows the machine down slows all. Compiling
falls into rounds that are not counted. docs/performance.md says what each does, and what was measured; docs/scaling.md
says it of --scaling, which compares kerasgan with itself on several devices and as several processes.
"""

import json
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import program
import values
from peers import memory, report, scaling
from peers.contestants import BY_NAME, KERASGAN, Contestant, taking_part
from peers.processes import Failed, Worker, started
from peers.workloads import OVER_EPOCHS, WORKLOADS

MANY = 20  # Rounds, of which not each is worth a line.


def main(args: program.Namespace) -> None:
    over_epochs = args.workload == "memory"
    workloads = OVER_EPOCHS if over_epochs else [WORKLOADS[args.workload]]
    workloads = [workload.changed(batch_size=args.batch_size, steps=args.steps) for workload in workloads]
    check_scaling(args, workloads[0].kind)
    contestants = chosen(args, workloads[0].kind)
    # Of memory the first epoch counts, as the first.
    rounds, warmup = args.rounds or (50 if over_epochs else 5), 0 if over_epochs else args.warmup or 2
    if over_epochs and (args.warmup or rounds < memory.LEAST):
        program.fail(2, f"memory takes no --warmup, and --rounds of at least {memory.LEAST}, each of them an epoch.")
    if args.profile and args.workload in ("input", "memory"):
        program.fail(2, f"--profile is of training by itself, and not of {args.workload}; leave it out.")
    skipped = {one.name: reason for one in contestants if (reason := one.missing())}
    present = [one for one in contestants if one.name not in skipped]
    for name, reason in skipped.items():
        print(f"{name}: skipped, {reason}")
    if not present:
        program.fail(2, 'nobody to compare is installed; pip install -e ".[jax,tensorflow,stream,bench]".')

    machine = report.machine()
    layouts = []
    if args.scaling:
        layouts = [layout for one in present for layout in layouts_of(one, machine["cores"], args.per_device)]
        present = [layout.contestant() for layout in layouts]
    if said := report.warning(machine):
        print(f"warning: {said}", file=sys.stderr)
    measured, failed = [], {}
    for workload in workloads:
        # As many steps as a round has, but for the first ones: a trace ends with the round it begins in.
        more = {"steps_per_execution": args.steps_per_execution, "profile": args.profile and workload.steps}
        print(f"{workload.name}: {workload.steps} steps of {workload.batch_size} images a round, {rounds} rounds")
        with (
            tempfile.TemporaryDirectory(prefix="benchmark-") as runs,
            started(present, workload, more, Path(runs)) as workers,
        ):
            finished, died = race(workers, warmup, rounds, args.debug)
            if args.profile:
                keep_traces(finished, Path(args.profile))
            answers = {worker.contestant.name: worker.answers[warmup:] for worker in finished}
        failed |= died
        if over_epochs:
            results = memory.figures(workload, answers)
            lines = memory.table(results, rounds)
        elif args.scaling:
            weights = max((worker.weights for worker in finished), default=0)
            results = scaling.figures(workload, answers, layouts, weights)
            lines = scaling.table(results)
        else:
            results = report.figures(workload, answers)
            lines = report.table(results)
        print(*lines, sep="\n")
        measured.append({"workload": asdict(workload), "contestants": results})
    if args.json:
        about = {"rounds": rounds, "machine": machine, "versions": report.versions(), "left_out": skipped | failed}
        figures = {"workloads": measured} if over_epochs else measured[0]
        Path(args.json).write_text(json.dumps(about | figures, indent=2))
        print(f"figures: {args.json}")
    if failed:
        program.fail(1, "; ".join(f"{name} {reason}" for name, reason in failed.items()))


def check_scaling(args: program.Namespace, kind: str) -> None:
    """Refuse what does not go together with several devices."""
    if args.per_device and not args.scaling:
        program.fail(2, "--per-device is of --scaling; give both.")
    if args.scaling and (kind not in scaling.KINDS or args.workload == "memory"):
        program.fail(2, f"--scaling is of training, and not of {args.workload}; choose another --workload.")
    if args.scaling and (args.profile or args.precision != "float32"):
        program.fail(2, "--scaling takes neither --profile nor --precision; leave them out.")


def layouts_of(contestant: Contestant, cores: int, per_device: bool) -> list[scaling.Layout]:
    """Return the layouts in which one of kerasgan's contestants trains."""
    backend = str(contestant.backend)
    return scaling.layouts(backend, scaling.accelerators(backend), cores, per_device)


def chosen(args: program.Namespace, kind: str) -> list[Contestant]:
    """Return who was asked for; where memory or scaling is measured and nobody was, kerasgan."""
    everybody = taking_part(kind, in_bfloat16=True)
    able = [one for one in everybody if one.name in KERASGAN] if args.scaling else everybody
    if strangers := [name for name in args.only or () if BY_NAME[name] not in able]:
        names = ", ".join(one.name for one in able)
        part = "--scaling" if args.scaling else args.workload
        program.fail(2, f"{strangers[0]} takes no part in {part}; choose among {names}.")
    if args.only or args.scaling:
        return [BY_NAME[name] for name in dict.fromkeys(args.only or KERASGAN)]
    everybody = taking_part(kind, in_bfloat16=args.precision == "mixed_bfloat16")
    return everybody if args.workload != "memory" else [one for one in everybody if one.name.startswith(KERASGAN)]


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
        if rounds < MANY or (number + 1) % 10 == 0:
            print(f"{counted}: {time.perf_counter() - began:.1f} s", flush=True)
    return [worker for worker in workers if worker.contestant.name not in failed], failed


def keep_traces(workers: list[Worker], folder: Path) -> None:
    """Copy the event files of kerasgan's runs, traces included, to a folder that stays."""
    for worker in workers:
        events = worker.folder / "run" / "tensorboard"
        if events.exists():
            shutil.copytree(events, folder / worker.contestant.name, dirs_exist_ok=True)
    print(f"traces: tensorboard --logdir {folder} shows them, once the profiler is there too: pip install xprof")


def steps_per_execution(text: str) -> int | str:
    """Read what `kg.Trainer` takes."""
    return text if text == "auto" else values.positive(text)


if __name__ == "__main__":
    parser = program.Parser(description="Compare the speed of kerasgan with that of its peers, on the same work.")
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS, "memory"], default="dcgan", help="a DCGAN on 28x28; a tiny dense GAN, "
        "where the time between steps counts; the workshop's CNN; input, the batches of images alone, with nothing "
        "trained; memory, whether it or the time grows over 50 epochs of both GANs (default: %(default)s)")  # fmt: skip
    add("--batch-size", type=values.positive, metavar="N", help="images a step (default: 256; tiny 8, cnn 128; in "
        "memory the DCGAN 64)")  # fmt: skip
    add("--steps", type=values.positive, metavar="N", help="steps in a round (default: 4; tiny 2000, cnn 50, input "
        "100; in memory 2 and the tiny GAN 200)")  # fmt: skip
    add("--rounds", type=values.positive, metavar="N", help="rounds that count (default: 5; memory 50)")
    add("--warmup", type=values.positive, metavar="N", help="rounds before them (default: 2)")
    add("--only", action="append", choices=list(BY_NAME), metavar="NAME", help="one contestant, may be repeated: "
        + ", ".join(BY_NAME))  # fmt: skip
    add("--precision", choices=["float32", "mixed_bfloat16"], default="float32", help="mixed_bfloat16 adds kerasgan "
        "and Lightning in that precision (default: %(default)s)")  # fmt: skip
    add("--steps-per-execution", type=steps_per_execution, metavar="N", help="of kerasgan's trainer, a number or auto "
        "(default: the trainer's own)")  # fmt: skip
    add("--profile", type=values.path, metavar="DIR", help="write there what TensorBoard's profiler shows of a "
        "warm-up round of kerasgan's")  # fmt: skip
    add("--scaling", action="store_true", help="compare kerasgan with itself: on 1, 2, ... devices of this machine, "
        "and as 1 and 2 processes; --only says on which backends")  # fmt: skip
    add("--per-device", action="store_true", help="with --scaling, give each device as large a batch as one device "
        "alone has (default: its part of that batch)")  # fmt: skip
    add("--debug", action="store_true", help="show all that a contestant said which failed")
    add("--json", type=values.path, metavar="FILE", help="write the figures there")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # on the way out the contestants are ended
    try:
        main(parser.parse_args())
    except OSError as error:
        program.fail(1, str(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
