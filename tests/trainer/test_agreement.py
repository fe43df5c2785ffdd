"""What processes agree on, with the other process played by the test."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

import kerasgan as kg
from kerasgan import backends
from kerasgan.trainer import agreement
from kerasgan.trainer.run_directory import fresh_run_dir


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bytes]]:
    """Make this process one of two; the other answers each message with what `answer` makes of it."""
    sent: list[bytes] = []

    def join(answer: Callable[[bytes], bytes], number: int = 0) -> list[bytes]:
        def exchange(message: bytes) -> list[bytes]:
            sent.append(message)
            return [message, answer(message)] if number == 0 else [answer(message), message]

        monkeypatch.setattr(backends, "process_count", lambda: 2)
        monkeypatch.setattr(backends, "process_index", lambda: number)
        monkeypatch.setattr(backends, "exchange", exchange)
        return sent

    return join


def with_setting(name: str, value: Any) -> Callable[[bytes], bytes]:
    """Answer with the same settings but one; and with nothing to nothing."""
    return lambda message: message and json.dumps({**json.loads(message), name: json.dumps(value)}).encode()


def test_equal_settings_are_agreed_on(company: Any) -> None:
    sent = company(lambda message: message)
    kg.agree({"seed": 0, "shape": (8, 8), "rate": 1e-3})
    assert len(sent) == 1


def test_the_first_setting_that_differs_is_named_with_both_values(company: Any) -> None:
    sent = company(with_setting("rate", 0.5))
    with pytest.raises(
        ValueError, match=r"disagree on the run: rate is 0\.1 in process 0 and 0\.5 in process 1; start all"
    ):
        kg.agree({"seed": 0, "rate": 0.1, "loss": "hinge"}, "run")
    assert sent[1:] == [b""], "a process that leaves before the other has heard of it takes its message along"


def test_a_setting_that_one_process_lacks_is_named_too(company: Any) -> None:
    company(with_setting("more", 1))
    with pytest.raises(ValueError, match="disagree: more is nothing in process 0 and 1 in process 1"):
        kg.agree({"seed": 0})


def test_a_process_by_itself_agrees_with_itself() -> None:
    kg.agree({"anything": object()})
    assert agreement.common_seed(None) is None
    assert agreement.told_by_first("x") == "x"


def test_without_a_seed_all_take_the_one_that_process_zero_has_drawn(company: Any) -> None:
    company(lambda message: b"17", number=1)
    assert agreement.common_seed(None) == 17
    assert agreement.common_seed(3) == 3


def test_all_processes_get_the_fresh_directory_that_process_zero_has_made(company: Any, tmp_path: Any) -> None:
    company(lambda message: json.dumps(str(tmp_path / "gan-007")).encode(), number=1)
    assert fresh_run_dir(tmp_path, "gan") == tmp_path / "gan-007"
    assert list(tmp_path.iterdir()) == []


def test_a_signal_to_the_other_process_stops_this_one_when_they_ask_each_other(company: Any) -> None:
    received = {"number": 0}
    company(lambda message: json.dumps([received["number"], 99]).encode())
    agreed = agreement.Agreement()
    assert agreed(None) is None
    received["number"] = 15
    answers = [agreed(None) for _ in range(10)]
    assert 15 in answers
    assert set(answers[: answers.index(15)]) <= {None}


def test_the_signal_of_this_process_waits_for_the_common_question(company: Any) -> None:
    sent = company(lambda message: json.dumps([0, 5]).encode(), number=1)  # process 0 says: again after 5
    agreed = agreement.Agreement()
    assert agreed(None) is None
    assert [agreed(2) for _ in range(5)] == [None, None, None, None, 2]
    assert len(sent) == 2


def test_processes_ask_each_other_about_once_a_second_however_short_a_step_is(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: clock["now"])
    sent = company(lambda message: message)
    agreed = agreement.Agreement()
    for _ in range(10_000):
        clock["now"] += 0.001
        agreed(None)
    assert 10 <= len(sent) <= 20  # in ten seconds, and some while it finds the pace


def test_steps_that_take_seconds_ask_every_time(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: clock["now"])
    sent = company(lambda message: message)
    agreed = agreement.Agreement()
    for _ in range(10):
        clock["now"] += 3.0
        agreed(None)
    assert len(sent) == 10


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("h:1", None, 0), "num_processes is missing; give coordinator, num_processes and process_id together"),
        ((None, 2, None), "coordinator, process_id is missing"),
        (("h", 2, 0), "coordinator is 'h'; give HOST:PORT of process 0"),
        (("h:1", 0, 0), "num_processes is 0; there is at least 1"),
        (("h:1", 2, 2), "process_id is 2; of 2 processes the last is 1"),
    ],
)
def test_malformed_addresses_of_processes_are_refused(arguments: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        kg.connect(*arguments)


def test_leaving_is_exiting() -> None:
    with pytest.raises(SystemExit) as exit:
        kg.leave(2)
    assert exit.value.code == 2
