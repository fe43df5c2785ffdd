"""How processes find each other, shown with threads."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kerasgan.backends import rendezvous
from tests.distribution.conftest import free_port


def gathered(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls side by side; return what each has returned or raised."""
    outcomes: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        try:
            outcomes[place] = calls[place]()
        except Exception as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return outcomes


def meeting(port: int, processes: int, process: int, seconds: float = 10.0) -> Callable[[], Any]:
    return lambda: rendezvous.meet(f"127.0.0.1:{port}", processes, process, f"I am {process}", seconds)


def test_everybody_hears_what_everybody_tells_in_the_order_of_their_numbers():
    port = free_port()
    told = ["I am 0", "I am 1", "I am 2"]
    assert gathered(*(meeting(port, 3, process) for process in (2, 0, 1))) == [told] * 3


def test_a_process_may_come_before_process_zero():
    port = free_port()
    late = threading.Event()
    threading.Timer(0.5, late.set).start()
    outcomes = gathered(lambda: (late.wait(), meeting(port, 2, 0)())[1], meeting(port, 2, 1))
    assert outcomes == [["I am 0", "I am 1"]] * 2


def test_who_is_missing_is_named():
    port = free_port()
    outcome = gathered(meeting(port, 4, 0, 1.0), meeting(port, 4, 2, 1.0))
    assert str(outcome[0]).startswith(f"of 4 processes 1, 3 did not come to 127.0.0.1:{port} within 1 s; start all")
    assert isinstance(outcome[0], ConnectionError) and isinstance(outcome[1], ConnectionError)


def test_process_zero_is_missed():
    port = free_port()
    with pytest.raises(ConnectionError, match=f"process 0 did not answer at 127.0.0.1:{port} within 0.5 s"):
        meeting(port, 2, 1, 0.5)()


def test_two_with_one_number_are_refused_and_all_hear_of_it():
    port = free_port()
    outcomes = gathered(meeting(port, 3, 0), meeting(port, 3, 1), meeting(port, 3, 1))
    assert {type(outcome) for outcome in outcomes} == {ValueError}
    assert {str(outcome) for outcome in outcomes} == {
        "two processes are number 1; give all the same number of processes (--num-processes), and each its own id "
        "(--process-id) from 0."
    }


def test_another_number_of_processes_is_refused():
    port = free_port()
    outcomes = gathered(meeting(port, 2, 0), meeting(port, 3, 1))
    assert [str(outcome).split(";")[0] for outcome in outcomes] == [
        "process 1 was told of 3 processes and process 0 of 2"
    ] * 2


@pytest.mark.parametrize(
    "noise", [b"", b"GET / HTTP/1.1\r\n\r\n\n", b"[1]\n", b'{"process": "x"}\n', b"[" * 5000 + b"\n"]
)
def test_a_stranger_who_knocks_disturbs_nobody(noise):
    port = free_port()
    outcomes: list[Any] = []
    first = threading.Thread(target=lambda: outcomes.append(meeting(port, 2, 0)()), daemon=True)
    first.start()
    with socket.socket() as stranger:
        while stranger.connect_ex(("127.0.0.1", port)):
            pass
        stranger.sendall(noise)
    assert meeting(port, 2, 1)() == ["I am 0", "I am 1"]
    first.join(10)
    assert outcomes == [["I am 0", "I am 1"]]


def test_a_number_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match="this is process 2 of 2; give all"):
        meeting(1, 2, 2)()


def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConnectionError, match=f"process 0 cannot listen at 127.0.0.1:{port}"):
            meeting(port, 2, 0)()


@pytest.mark.parametrize("address", ["", "host", "host:", ":80", "host:x", "host:0", "host:65536", "host:٣"])
def test_a_malformed_address_is_an_error(address):
    with pytest.raises(ValueError, match="give HOST:PORT of process 0, such as "):
        rendezvous.address_of(address)


def test_an_address_of_version_six_has_brackets():
    assert rendezvous.address_of("[::1]:80") == ("::1", 80)
