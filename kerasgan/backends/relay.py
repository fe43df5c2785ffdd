"""Holds the line: a connection to a coordinator that does not end at once when the coordinator dies.

JAX knows one answer to the end of its connection to the coordinator: it aborts the process, with a page of text and a
core dump. The collectives of a training step notice a dead peer too, and raise an error that Python can tell in one
line. So the connection goes through this little program, which stays silent for a while after the coordinator's end.

    python relay.py HOST PORT

It prints the port on which it listens on 127.0.0.1, and lives until its standard input ends, as it does when the
process that started it dies, however it dies. A process of its own, since a thread would stand still with its
interpreter. Nothing but the standard library: it starts in some 20 ms.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time

SILENCE_SECONDS = 30.0  # Long enough for a step to fail; the end, if nothing else has noticed.
RETRY_SECONDS = 0.2
_CHUNK_BYTES = 2**16


def main(host: str, port: int) -> None:
    """Relay until standard input ends."""
    # A terminal and a job scheduler signal everybody; this goes when its process has gone.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, host, port), daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


def _accept(listener: socket.socket, host: str, port: int) -> None:
    while True:
        near, _ = listener.accept()
        threading.Thread(target=_relay, args=(near, host, port), daemon=True).start()


def _relay(near: socket.socket, host: str, port: int) -> None:
    far = _connected(host, port)
    if far is not None:
        threading.Thread(target=_pump, args=(near, far), daemon=True).start()
        _pump(far, near)
        time.sleep(SILENCE_SECONDS)
    near.close()


def _connected(host: str, port: int) -> socket.socket | None:
    """Connect to the coordinator, which may be about to start."""
    end = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < end:
        try:
            far = socket.create_connection((host, port), timeout=SILENCE_SECONDS)
        except OSError:
            time.sleep(RETRY_SECONDS)
        else:
            far.settimeout(None)
            return far
    return None


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes until one side has ended."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
