"""How the processes of a run find each other: an address of one of them is all that has to be known.

The engines wait for each other too, but end the process, or stand still, where somebody is missing, is there twice or
expects another number. Here each of it is an error in one line. Nothing but the standard library.
"""

import json
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

_RETRY_SECONDS = 0.2
_HELLO_SECONDS = 10.0  # Whoever connects and says nothing is none of ours.
_MAX_BYTES = 2**20


def address_of(coordinator: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`.

    Raises:
        ValueError: It is malformed.
    """
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"coordinator is {coordinator!r}; give HOST:PORT of process 0, such as 10.0.0.1:23456.")
    return host.strip("[]"), int(port)


def bind_address(coordinator: str) -> tuple[str, int]:
    """Return where process 0 has to listen: at the address itself, or at all where that is another machine's name."""
    host, port = address_of(coordinator)
    with suppress(OSError), _listener(host, 0):
        return host, port
    return "", port


def meet(coordinator: str, processes: int, process: int, message: str, timeout_seconds: float) -> list[str]:
    """Wait until all processes are there; collective.

    Args:
        coordinator: `HOST:PORT` of process 0, where it listens for the time of this call.
        processes: How many there are.
        process: Which one this is, from 0.
        message: What to tell the others.
        timeout_seconds: How long to wait for them.

    Returns:
        What each has told, in the order of their numbers.

    Raises:
        ConnectionError: They did not come in time, or the port is taken.
        ValueError: Two have the same number, or they expect another number of processes.
    """
    if not 0 <= process < processes:
        raise ValueError(_mended(f"this is process {process} of {processes}"))
    end = time.monotonic() + timeout_seconds
    if process == 0:
        return _receive_all(coordinator, processes, message, end, timeout_seconds)
    return _join(coordinator, processes, process, message, end, timeout_seconds)


def _receive_all(coordinator: str, processes: int, message: str, end: float, timeout_seconds: float) -> list[str]:
    told, seats = {0: message}, dict[int, socket.socket]()
    with ExitStack() as everything:
        try:
            listener = everything.enter_context(_listener(*bind_address(coordinator)))
        except OSError as error:
            raise ConnectionError(
                f"process 0 cannot listen at {coordinator} ({error.strerror}); give an address of this machine with a "
                "port that is free."
            ) from error
        while len(told) < processes:
            listener.settimeout(max(0.01, end - time.monotonic()))
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                missing = ", ".join(str(number) for number in range(processes) if number not in told)
                raise ConnectionError(
                    f"of {processes} processes {missing} did not come to {coordinator} within {timeout_seconds:g} s; "
                    "start all of them, each with its own process_id (--process-id)."
                ) from None
            everything.enter_context(connection)
            hello = _hello(connection)
            if hello is None:
                continue
            number, total, text = hello
            if total != processes or not 0 < number < processes or number in told:
                fault = (
                    f"two processes are number {number}"
                    if total == processes
                    else (f"process {number} was told of {total} processes and process 0 of {processes}")
                )
                for other in (connection, *seats.values()):
                    _send(other, {"error": fault})
                raise ValueError(_mended(fault))
            told[number], seats[number] = text, connection
        messages = [told[number] for number in range(processes)]
        for seat in seats.values():
            _send(seat, {"messages": messages})
        return messages


def _join(
    coordinator: str, processes: int, process: int, message: str, end: float, timeout_seconds: float
) -> list[str]:
    while True:
        left = max(0.01, end - time.monotonic())
        with (
            suppress(OSError, ValueError),
            socket.create_connection(address_of(coordinator), timeout=left) as connection,
        ):
            _send(connection, {"process": process, "processes": processes, "message": message})
            connection.settimeout(left)
            answer = _line(connection)
            if isinstance(answer.get("messages"), list):
                return [str(text) for text in answer["messages"]]
            if "error" in answer:
                break
        if time.monotonic() >= end:
            raise ConnectionError(
                f"process 0 did not answer at {coordinator} within {timeout_seconds:g} s, or others are missing; start "
                "all processes, and give the address of the machine of process 0."
            )
        time.sleep(_RETRY_SECONDS)
    raise ValueError(_mended(str(answer["error"])[:200]))


def _mended(fault: str) -> str:
    return (
        f"{fault}; give all the same number of processes (--num-processes), and each its own id (--process-id) from 0."
    )


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def _hello(connection: socket.socket) -> tuple[int, int, str] | None:
    """Return number, total and message of a process, or None for anybody else, such as a scanner of ports."""
    connection.settimeout(_HELLO_SECONDS)
    try:
        hello = _line(connection)
        return int(hello["process"]), int(hello["processes"]), str(hello["message"])
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        return None


def _line(connection: socket.socket) -> dict[str, Any]:
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(4096)
        if not part or len(received) > _MAX_BYTES:
            raise ValueError("no whole line")
        received += part
    content = json.loads(received)
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content


def _send(connection: socket.socket, content: dict[str, object]) -> None:
    with suppress(OSError):  # It is gone; who needs its answer will notice.
        connection.sendall(json.dumps(content).encode() + b"\n")
