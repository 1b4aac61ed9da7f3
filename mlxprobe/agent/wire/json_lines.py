"""Messages between a process that is watched from within and the one that watches it: JSON, one to a line."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

CHUNK_BYTES = 1 << 16
NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)  # whatever the program has made of SIGPIPE
FULL_WITHIN_S = 30.0  # who does not read for so long is gone, or will never


class Line:
    """One end of a pair of sockets; `closed` once the other end is."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.settimeout(FULL_WITHIN_S)
        self._rest = b""
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor, to wait for."""
        return self._socket.fileno()

    def send(self, **message: Any) -> bool:
        """Send one message; return whether it left."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n", NO_SIGNAL)
        except OSError:
            return False
        return True

    def hear(self) -> list[dict[str, Any]]:
        """Wait for what comes next; return the messages that are complete."""
        try:
            heard = self._socket.recv(CHUNK_BYTES)
        except TimeoutError:
            return []
        except OSError:
            heard = b""
        self.closed = not heard
        *lines, self._rest = (self._rest + heard).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end, and wake whoever waits for it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
