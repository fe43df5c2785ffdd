"""Kill, stop and resume training runs at random, and see whether each ends as the run that was left in peace.

    KERAS_BACKEND=jax python scripts/torture.py
    KERAS_BACKEND=jax python scripts/torture.py --kills 200 --terms 50 --every-step

Prints a table in Markdown, a row for each trial of each case, and exits with 1 if any run was lost. Final states are
compared by the sha256 of all their tensors (weights, moving averages, every optimizer's slots, counters, seeds) and of
the figures in metrics.csv. Each life of a run is a process of its own, forked from one in which no backend has
started. The first command takes 8 minutes on 2 cores of an AMD EPYC; docs/reliability.md has what the second found.
"""

import argparse
import itertools
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import program
import values
from torture_lives import CASES, SAVE_EVERY, SAVING, STEP, STEPS, TRAINED, Life, forget, pin_threads

LIVES = 4  # That a run is killed in, at most; then it is resumed for the last time.
POSITION = "the place in the data"


class Lost(Exception):
    """A run did not survive, or came back as another one."""


class Torture:
    """The trials of one case.

    Args:
        case: One of `CASES`.
        folder: Where its runs go.
        seed: Of the moments chosen.
    """

    def __init__(self, case: str, folder: Path, seed: int) -> None:
        self.case, self.folder, self.random = case, folder, random.Random(f"{case} {seed}")
        self._numbers = itertools.count()
        self.whole, self.step_seconds, self.save_seconds = self._left_in_peace()

    # The trials; each returns what it found.

    def kill(self, count: int) -> str:
        """Kill at random moments, half of them while a checkpoint is saved."""
        half = (count + 1) // 2
        inside = outside = runs = most_lost = 0
        for _ in range(20 * count):
            run_dir, runs = self._new_run(), runs + 1
            for _ in range(LIVES):
                before = newest_step(run_dir)
                in_save = inside < half and (outside >= count - half or self.random.random() < 0.5)
                life = self._die_in_a_save(run_dir) if in_save else self._die_anywhere(run_dir)
                status = life.end()
                if status == 0:
                    break
                if status not in (-signal.SIGKILL, -signal.SIGALRM):
                    raise Lost(f"exit status {status} where a kill was to be; see {run_dir.with_suffix('.log')}")
                inside, outside = inside + life.saving, outside + (not life.saving)
                if not life.trained:
                    # The step that began last was not over.
                    most_lost = max(most_lost, before + max(life.steps - 1, 0) - newest_step(run_dir))
            self._finish(run_dir)
            if inside >= half and outside >= count - half:
                break
        else:
            raise Lost(f"{runs} runs were not enough: {inside} kills inside a save, {outside} outside")
        if most_lost > SAVE_EVERY:
            raise Lost(f"{most_lost} steps were lost at once; a checkpoint comes every {SAVE_EVERY}")
        return f"{inside + outside} kills, {inside} inside a save, in {runs} runs; at most {most_lost} steps lost"

    def terminate(self, count: int) -> str:
        """Send SIGTERM at random moments; the step is finished and nothing is lost."""
        sent = runs = 0
        while sent < count:
            run_dir, runs = self._new_run(), runs + 1
            for _ in range(LIVES):
                before = newest_step(run_dir)
                life = Life(run_dir, self.case)
                self._wait(life)
                life.send(signal.SIGTERM)
                status = life.end()
                if status == 0:
                    break
                sent += 1
                if status not in (128 + signal.SIGTERM, -signal.SIGTERM):
                    raise Lost(f"exit status {status} after SIGTERM; see {run_dir.with_suffix('.log')}")
                if newest_step(run_dir) != before + life.steps:
                    raise Lost(f"{before + life.steps} steps were begun, {newest_step(run_dir)} saved")
                if sent >= count:
                    break
            self._finish(run_dir)
        return f"{sent} times, in {runs} runs; 0 steps lost"

    def every_step(self) -> str:
        """Stop a run after each of its steps and resume it."""
        for step in range(1, STEPS):
            run_dir = self._new_run()
            self._stop(run_dir, step)
            if newest_step(run_dir) != step:
                raise Lost(f"stopped during step {step}, saved at {newest_step(run_dir)}")
            self._finish(run_dir)
        return f"stopped after each of {STEPS - 1} steps"

    def chain(self, depth: int) -> str:
        """Stop a resume of a resume, and so on."""
        run_dir, stop_at = self._new_run(), max(1, STEPS // (depth + 1))
        for life in range(1, depth + 1):
            self._stop(run_dir, stop_at)
            if newest_step(run_dir) != life * stop_at:
                raise Lost(f"life {life} began at step {(life - 1) * stop_at} and ended at {newest_step(run_dir)}")
        self._finish(run_dir)
        return f"{depth} deep"

    def control(self, what: str, forgets: Callable[[str, str], bool]) -> str:
        """Forget something on resume; if the state is then the same, the comparison sees nothing."""
        run_dir = self._new_run()
        self._stop(run_dir, STEPS // 2 + 1)
        forget(run_dir, forgets, position=what == POSITION)
        life = Life(run_dir, self.case)
        if life.end() != 0:
            raise Lost(f"the sabotaged run failed; see {run_dir.with_suffix('.log')}")
        if life.final.read_text() == self.whole:
            raise Lost(f"without {what} the final state is the same: the comparison is blind")
        return f"without {what} the final state differs, as it must"

    # How they are done.

    def _left_in_peace(self) -> tuple[str, float, float]:
        """Train a run without harm; return the digest of its state, and how long a step and a save take."""
        life = Life(self._new_run(), self.case)
        moments: list[tuple[bytes, float]] = [(byte, time.perf_counter()) for byte in life.events()]
        if life.end() != 0:
            raise Lost(f"it fails even when left in peace; see {life.run_dir.with_suffix('.log')}")
        spans = {
            kind: [after - at for (byte, at), (_, after) in itertools.pairwise(moments) if byte == kind]
            for kind in (STEP, SAVING)
        }
        return life.final.read_text(), statistics.median(spans[STEP]), statistics.median(spans[SAVING])

    def _new_run(self) -> Path:
        return self.folder / f"{self.case}-{next(self._numbers):04d}"

    def _die_anywhere(self, run_dir: Path) -> Life:
        """Send SIGKILL to a life at a random moment before, within or after training."""
        life = Life(run_dir, self.case)
        self._wait(life)
        life.send(signal.SIGKILL)
        return life

    def _die_in_a_save(self, run_dir: Path) -> Life:
        """Have the kernel end a life a little after one of its saves has begun.

        The life counts the time itself: a save of few milliseconds is over before another process has heard of it.
        """
        nth = self.random.randrange(1, STEPS // SAVE_EVERY)
        return Life(run_dir, self.case, end_in_save=(nth, self.random.uniform(1e-4, self.save_seconds)))

    def _wait(self, life: Life) -> None:
        """Return at a random moment of a life."""
        left = self.random.randrange(-1, STEPS)
        if left < 0:
            time.sleep(self.random.uniform(0, 1))
            return
        for byte in life.events():
            left -= byte == STEP
            if left < 0 or byte == TRAINED:
                break
        time.sleep(self.random.uniform(0, self.step_seconds))

    def _stop(self, run_dir: Path, step: int) -> None:
        """Let a life stop itself during one of its steps."""
        if (status := Life(run_dir, self.case, stop_at=step).end()) != 128 + signal.SIGTERM:
            raise Lost(f"exit status {status} where SIGTERM was sent; see {run_dir.with_suffix('.log')}")

    def _finish(self, run_dir: Path) -> None:
        """Resume a run for the last time, and compare."""
        life = Life(run_dir, self.case)
        if life.end() != 0:
            raise Lost(f"{run_dir.name} does not resume; see {run_dir.with_suffix('.log')}")
        if life.final.read_text() != self.whole:
            raise Lost(f"{run_dir.name} ended in another state than the run left in peace")
        leftovers = [path for path in run_dir.rglob(".tmp-*")]
        if leftovers:
            raise Lost(f"{run_dir.name} was left with {leftovers[0]}")


def newest_step(run_dir: Path) -> int:
    """Return the step of the newest checkpoint, having read all of them; a torn one is a failure."""
    import kerasgan as kg

    store = kg.checkpoints.CheckpointStore(run_dir / "checkpoints")
    for step in store.steps():
        try:
            store.load(step)
        except kg.checkpoints.CheckpointError as error:
            raise Lost(f"a torn checkpoint: {error}") from error
    return store.latest() or 0


def controls(case: str) -> Iterator[tuple[str, Callable[[str, str], bool]]]:
    """Yield what each case must not do without, and which arrays that is."""
    yield "the seeds", lambda name, path: name.startswith("seed/")
    one = {"wgan_gp": "critic", "classifier": "network"}.get(case, "discriminator")
    yield f"the optimizer of the {one}", lambda name, path: name.startswith(f"optimizer/{one}/")
    yield POSITION, lambda name, path: False
    if case == "ema_schedule":
        yield "the averages", lambda name, path: name.startswith("optimizer/") and "average" in path


def main(args: program.Namespace) -> None:
    failures = 0
    folder = Path(args.folder or tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    print("| case | trial | found | seconds |\n|---|---|---|---|")
    for case in args.case or CASES:
        torture = Torture(case, folder, args.seed)
        trials: list[tuple[str, Callable[[], str]]] = []
        for name, count, trial in (
            ("SIGKILL", args.kills, torture.kill),
            ("SIGTERM", args.terms, torture.terminate),
            ("a resume of a resume", args.depth, torture.chain),
        ):
            trials += [(name, partial(trial, count))] if count else []
        trials += [("stop at every step", torture.every_step)] if args.every_step else []
        if args.controls:
            trials += [("control", partial(torture.control, *control)) for control in controls(case)]
        for name, trial in trials:
            began = time.perf_counter()
            try:
                found = trial()
            except Lost as lost:
                failures += 1
                found = f"**LOST**: {lost}"
            print(f"| {CASES[case]} | {name} | {found} | {time.perf_counter() - began:.0f} |", flush=True)
    if failures:
        program.fail(1, f"{failures} trials lost a run; they lie in {folder}.")


if __name__ == "__main__":
    parser = program.Parser(description="Kill, stop and resume training runs, and compare how they end.")
    add = parser.add_argument
    add("--case", action="append", choices=list(CASES), help="one of the cases; may be repeated (default: all)")
    add("--kills", type=values.natural, default=10, metavar="N", help="SIGKILLs a case (default: %(default)s)")
    add("--terms", type=values.natural, default=5, metavar="N", help="SIGTERMs a case (default: %(default)s)")
    add(
        "--depth",
        type=values.at_most(STEPS - 1),
        default=10,
        metavar="N",
        help="resumes of resumes (default: %(default)s)",
    )
    add("--controls", action=argparse.BooleanOptionalAction, default=True, help="also forget something on purpose")
    add("--every-step", action="store_true", help="stop and resume at each step of a run, too")
    add("--seed", type=values.natural, default=0, help="of the moments chosen (default: %(default)s)")
    add("--folder", metavar="DIR", help="where the runs go (default: a temporary folder)")
    add("--debug", action="store_true", help="show where an error came from")
    pin_threads()
    program.run(main, parser)
