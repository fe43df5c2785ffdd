"""What Hypothesis makes of sound files: bytes flipped, cut out, put in, spliced; and JSON whose parts are exchanged."""

import copy
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

LONG = "KERASGAN_FUZZ_SECONDS"  # An environment variable: for how long to go on, with other examples all the time.

# What breaks readers of numbers: the ends of their ranges, and lengths that are far too large.
BYTES = [
    b"",
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\n",
    b'"',
    b"[",
    b"}",
]
VALUES = [
    None, True, 0, -1, 1, 3, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "x", "../../x", "\ud800", "\n", "\0", "float32", "Dense", "keras", "x" * 9999, [], {}, [[]], [0], {"": {}},
    {"class_name": "Dense", "config": {"units": 10**9}, "module": "keras.layers"},
]  # fmt: skip


def fuzz(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], examples: int) -> int:
    """Give `check` what the strategy makes: the same examples in every run, unless `KERASGAN_FUZZ_SECONDS` says longer.

    Args:
        strategy: Makes one input.
        check: Raises where the input got through as something else than a success or a documented error.
        examples: How many, and how many a round of a long run.

    Returns:
        How many were tried.
    """
    tried, rounds, end = 0, 0, time.monotonic() + float(os.environ.get(LONG, 0))
    while rounds == 0 or time.monotonic() < end:

        @seed(rounds)
        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def one(made: Any) -> None:
            nonlocal tried
            tried += 1
            check(made)

        one()
        rounds += 1
    test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
    print(f"{test}: {tried:,} examples in {rounds} rounds")
    return tried


@st.composite
def mutated(draw: st.DrawFn, *sound: bytes) -> bytes:
    """Return one of the sound files after one to five changes."""
    content = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 16) | st.integers(0, len(content)))
        kind = draw(st.sampled_from(["flip", "set", "cut", "insert", "repeat", "splice", "end"]))
        if kind == "flip" and content:
            place = min(start, len(content) - 1)
            flipped = content[place] ^ (1 << draw(st.integers(0, 7)))
            content = content[:place] + bytes([flipped]) + content[place + 1 :]
        elif kind == "set":
            put = draw(st.sampled_from(BYTES) | st.binary(max_size=8))
            content = content[:start] + put + content[start + len(put) :]
        elif kind == "cut":
            content = content[:start] + content[start + length :]
        elif kind == "insert":
            content = content[:start] + draw(st.sampled_from(BYTES) | st.binary(max_size=32)) + content[start:]
        elif kind == "repeat":
            content = content[: start + length] + content[start:]
        elif kind == "splice":
            other = draw(st.sampled_from(sound))
            content = content[:start] + other[draw(st.integers(0, len(other))) :]
        elif kind == "end":
            content = content[:start]
    return content


@st.composite
def mutated_json(draw: st.DrawFn, sound: Any) -> Any:
    """Return a copy of something made of JSON in which one to four parts are exchanged, doubled or left out."""
    root = [copy.deepcopy(sound)]
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(root))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.sampled_from(["value", "value", "delete", "swap", "wrap", "add"]))
        if kind == "delete" and holder is not root:
            del holder[key]
        elif kind == "swap":
            other, name = places[draw(st.integers(0, len(places) - 1))]
            holder[key] = copy.deepcopy(other[name])
        elif kind == "wrap":
            for _ in range(draw(st.sampled_from([1, 2, 50, 200]))):
                holder[key] = draw(st.sampled_from([lambda value: [value], lambda value: {"config": value}]))(
                    holder[key]
                )
        elif kind == "add" and isinstance(holder[key], dict):
            name = draw(st.sampled_from(["config", "x", "", "module", "dtype"]))
            holder[key][name] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return root[0]


def _places(holder: Any) -> Any:
    """Yield every `(container, key or index)` below a container."""
    for key in range(len(holder)) if isinstance(holder, list) else list(holder):
        yield holder, key
        if isinstance(holder[key], list | dict):
            yield from _places(holder[key])
