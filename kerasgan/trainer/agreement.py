"""What several processes agree on: settings, a seed, a directory, and the step at which a signal ends them."""

import contextlib
import json
import secrets
import time
from typing import Any

from kerasgan import backends

ASK_SECONDS = 1.0  # From one question to the next; an answer takes some milliseconds.


def agree(settings: dict[str, Any], what: str = "") -> None:
    """Refuse to go on where the processes were given different settings; all have to call it.

    Args:
        settings: By name, as far as JSON goes.
        what: What they are settings of, for the error.

    Raises:
        ValueError: They differ; the line names the first that does, and two processes.
    """
    if backends.process_count() == 1:
        return
    own = {name: json.dumps(value, default=str, sort_keys=True) for name, value in settings.items()}
    everybody = [json.loads(message) for message in backends.exchange(json.dumps(own).encode())]
    first = everybody[0]
    for process, other in enumerate(everybody[1:], 1):
        for name in [*first, *(name for name in other if name not in first)]:
            if first.get(name) != other.get(name):
                _wait_until_all_know()
                values = f"{first.get(name, 'nothing')} in process 0 and {other.get(name, 'nothing')} in process"
                raise ValueError(
                    f"the processes disagree{what and f' on the {what}'}: {name} is {values} {process}; start all of "
                    "them with the same options, data and code."
                )


def _wait_until_all_know() -> None:
    """Hear from all that they have what was exchanged: whoever leaves at once takes along what others still fetch."""
    # If another one has left meanwhile it knew, as this one does.
    with contextlib.suppress(Exception):
        backends.exchange(b"")


def told_by_first(value: Any) -> Any:
    """Return what process 0 has given, as far as JSON goes; all have to call it."""
    if backends.process_count() == 1:
        return value
    return json.loads(backends.exchange(json.dumps(value).encode())[0])


def common_seed(seed: int | None) -> int | None:
    """Return the seed of all processes: the one given, or one drawn by process 0 where several must have the same."""
    if seed is not None or backends.process_count() == 1:
        return seed
    return int(told_by_first(secrets.randbelow(2**31)))


class Agreement:
    """Hears of a signal to any of the processes, at a step that is the same for all.

    A step takes all processes: if one stopped alone, the others would be in the middle of the next. They ask each
    other about once a second, since asking waits for all steps that are under way. Process 0 says when next.
    """

    def __init__(self) -> None:
        self._executions, self._asked_at, self._next = 0, 0, 1
        self._asked_seconds: float | None = None

    def __call__(self, received: int | None) -> int | None:
        """Return the number of a signal that has come to one of the processes; to be called before each execution.

        Args:
            received: The signal that has come to this one, if one has.
        """
        if backends.process_count() == 1:
            return received
        self._executions += 1
        if self._executions < self._next:
            return None
        messages = backends.exchange(json.dumps([received or 0, self._pause()]).encode())
        answers = [json.loads(message) for message in messages]
        self._asked_at, self._asked_seconds = self._executions, time.perf_counter()
        self._next = self._executions + answers[0][1]
        return max(number for number, _ in answers) or None

    def _pause(self) -> int:
        """Return after how many executions to ask again."""
        if self._asked_seconds is None:
            return 1
        passed = self._executions - self._asked_at
        each = (time.perf_counter() - self._asked_seconds) / passed
        # The first execution compiles, and says nothing about the others.
        return max(1, min(4 * passed, int(ASK_SECONDS / max(each, 1e-6))))
