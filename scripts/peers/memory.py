"""Whether training takes more memory, or more time, the longer it lasts: the second epoch beside the last one.

The first epoch compiles and allocates. From the second one on the same is done again and again, and nothing may grow.
"""

import statistics
from collections.abc import Iterable
from typing import Any

from peers.workloads import Workload

TIMED = 10  # Epochs at either end whose times are compared: single ones vary too much.
LEAST = 3  # Epochs, of which the second is not the last.


def figures(workload: Workload, answers: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Work out what each contestant's epochs come to.

    Args:
        workload: What was trained, a round of which is an epoch.
        answers: `{contestant: what it said after each epoch}`, `LEAST` of them or more.

    Returns:
        `{contestant: figures}`: megabytes at the ends of the second, the last and each epoch, resident and at the peak
        so far, with the growth from the second to the last as a share; programs compiled after the first epoch;
        milliseconds a step, medians of the first and of the last epochs after the first one.
    """
    result: dict[str, dict[str, Any]] = {}
    for name, epochs in answers.items():
        found = result[name] = {}
        for kind in ("resident_megabytes", "peak_megabytes"):
            second, last = (epochs[place][kind] for place in (1, -1))
            known = second is not None and last is not None
            growth = last / second - 1 if known else None
            found[kind] = {"second": second, "last": last, "growth": growth, "each": [one[kind] for one in epochs]}
        found["programs_after_first"] = epochs[-1]["programs"] - epochs[0]["programs"]
        steps = [1000 * epoch["seconds"] / workload.steps for epoch in epochs[1:]]
        found["ms_per_step"] = {
            "first": statistics.median(steps[:TIMED]),
            "last": statistics.median(steps[-TIMED:]),
        }
    return result


def table(results: dict[str, dict[str, Any]], epochs: int) -> Iterable[str]:
    """Yield the lines of a table for people."""
    yield f"{'':28}{'MB resident':^19} {'MB at the peak':^19}  {'new':>4} {'time':>6}"
    columns = f"{'at 2':>6}{f'at {epochs}':>7}{'more':>6}"
    yield f"{'contestant':28}{columns} {columns}  {'prog':>4} {'more':>6}"
    for name, found in results.items():
        resident, peak = (grown(found[kind]) for kind in ("resident_megabytes", "peak_megabytes"))
        longer = found["ms_per_step"]["last"] / found["ms_per_step"]["first"] - 1
        yield f"{name:28}{resident} {peak}  {found['programs_after_first']:4} {longer:6.0%}"
    yield f"new prog: compiled after epoch 1; time: of the last {TIMED} epochs over the first {TIMED}"


def grown(megabytes: dict[str, Any]) -> str:
    """Write two sizes and the growth from one to the other, 19 columns wide."""
    if megabytes["growth"] is None:
        return f"{'-':>6}{'-':>7}{'-':>6}"
    return f"{megabytes['second']:6.0f}{megabytes['last']:7.0f}{megabytes['growth']:6.1%}"
