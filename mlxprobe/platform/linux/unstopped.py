"""The native calls of threads that sleep, read without stopping anybody.

A sleeping thread's stack does not change. The kernel tells where it ends; what lies on it and points behind a call in
a library is a return address. What a function left there unused may do so too, so such a list can hold a call too many;
one of the interpreter's between two of one library is left out, for a library goes through Python by its own entries.
"""

from __future__ import annotations

import bisect
import platform
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlxprobe.platform.interface import Native
from mlxprobe.platform.linux.files import text_of
from mlxprobe.platform.linux.symbols import library
from mlxprobe.platform.linux.waits import memory

DEEP_BYTES = 48 << 10
MOST = 24
_PYTHON = re.compile(r"/(?:lib)?python3?[\d.]*t?(?:\.so[\d.]*)?(?: \(deleted\))?$")
_SYSTEM = re.compile(r"/(?:lib(?:c|m|pthread|stdc\+\+|gcc_s)|ld-linux[^/]*)[.-][^/]*$")
INTERPRETER = (
    "_PyEval_",
    "PyEval_",
    "_PyFunction_",
    "PyObject_",
    "_PyObject_",
    "cfunction_",
    "drop_gil",
    "start_thread",
)


class Mapped(NamedTuple):
    """A part of a process's memory."""

    start: int
    end: int
    runs: bool
    offset: int
    file: str


class Memory:
    """The memory of one process, as it was mapped when this was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._parts = _mapped(pid)
        self._starts = [one.start for one in self._parts]

    def calls(self, number: int) -> tuple[Native, ...]:
        """Return the native calls of a thread that sleeps, innermost first, up to Python's; none of one that runs."""
        try:
            with open(f"/proc/{self._pid}/task/{number}/syscall", encoding="ascii") as file:
                *_, top, here = (int(word, 16) for word in file.read().split()[1:])
        except (OSError, ValueError):
            return ()
        found: list[Native] = []
        for address in (here, *self._returns(top)):
            frame = self._frame(address)
            if frame is None or frame in found:
                continue
            if frame.function.startswith(INTERPRETER) or len(found) >= MOST:
                break
            found.append(frame)
        return without_strays(found)

    def _at(self, address: int) -> Mapped | None:
        found = bisect.bisect_right(self._starts, address) - 1
        return self._parts[found] if found >= 0 and address < self._parts[found].end else None

    def _returns(self, top: int) -> Iterator[int]:
        """List what lies on a stack and points behind a call."""
        stack = self._at(top)
        size = min(stack.end - top, DEEP_BYTES) & ~7 if stack else 0
        for (word,) in struct.iter_unpack("=Q", memory(self._pid, top, size)[:size]):
            part = self._at(word)
            if part and part.runs and part.file.startswith("/") and is_call(memory(self._pid, word - 8, 8)):
                yield word

    def _frame(self, address: int) -> Native | None:
        part = self._at(address)
        name = library(part.file).name(address - 1 - part.start + part.offset) if part and part.runs else ""
        return Native(part.file, name) if part and name else None


def without_strays(found: Sequence[Native]) -> tuple[Native, ...]:
    """Leave out the interpreter's functions that lie between two calls of one library; all call the system's."""
    files = ["" if _SYSTEM.search(one.file) else one.file for one in found]
    return tuple(
        one
        for at, one in enumerate(found)
        if not (_PYTHON.search(one.file) and {*files[:at]} & {*files[at:]} - {"", one.file})
    )


def is_call(before: bytes) -> bool:
    """Tell whether the code that ends here is a call."""
    if len(before) < 8:
        return False
    if platform.machine() == "aarch64":
        word = int.from_bytes(before[4:], "little")
        return word & 0xFC000000 == 0x94000000 or word & 0xFFFFFC1F == 0xD63F0000
    indirect = any(before[-k] == 0xFF and before[1 - k] & 0x38 == 0x10 for k in (2, 3, 4, 6, 7))
    return before[-5] == 0xE8 or indirect


def _mapped(pid: int) -> list[Mapped]:
    found = []
    for line in text_of(f"/proc/{pid}/maps").splitlines():
        span, rights, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(one, 16) for one in span.split("-"))
        found.append(Mapped(start, end, "x" in rights, int(offset, 16), path[0].strip() if path else ""))
    return found
