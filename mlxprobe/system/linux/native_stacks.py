"""The native calls of threads that sleep, read without stopping them.

A sleeping thread's stack does not change. The kernel gives its end; a word on it that points behind a call in
a library is a return address. What earlier calls left there may do so too: `chain` leaves out what cannot be a call.
"""

from __future__ import annotations

import bisect
import platform
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mlxprobe.system.interface import Native
from mlxprobe.system.linux.procfs import text_of
from mlxprobe.system.linux.symbols import library
from mlxprobe.system.linux.wait_reason import memory

DEEP_BYTES = 48 << 10
MAX_FRAMES = 24
_PYTHON = re.compile(r"/(?:lib)?python3?[\d.]*t?(?:\.so[\d.]*)?(?: \(deleted\))?$")
_BUILT_IN = re.compile(r"/lib-dynload/[^/]*$")  # Python's own extension modules, which the interpreter alone calls
_EXTENSION = re.compile(r"\.(?:cpython-|abi3\.)[^/]*$")
_SYSTEM = re.compile(r"/(?:lib(?:c|m|pthread|stdc\+\+|gcc_s)|ld-linux[^/]*)[.-][^/]*$")
INTERPRETER = (
    "_PyEval_",
    "PyEval_",
    "_PyFunction_",
    "PyObject_",
    "_PyObject_",
    "cfunction_",
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
        return chain(frame for address in (here, *self._returns(top)) if (frame := self._frame(address)))

    def _at(self, address: int) -> Mapped | None:
        found = bisect.bisect_right(self._starts, address) - 1
        return self._parts[found] if found >= 0 and address < self._parts[found].end else None

    def _returns(self, top: int) -> Iterator[int]:
        """List the words of a stack that point behind a call."""
        stack = self._at(top)
        size = min(stack.end - top, DEEP_BYTES) & ~7 if stack else 0
        for (word,) in struct.iter_unpack("=Q", memory(self._pid, top, size)[:size]):
            part = self._at(word)
            if part and part.runs and part.file.startswith("/") and is_call(memory(self._pid, word - 8, 8)):
                yield word

    def _frame(self, address: int) -> Native | None:
        """Return the function that an address is in; its place in the file where that has no name for it."""
        part = self._at(address)
        if part is None or not part.runs or not part.file.startswith("/"):
            return None
        offset = address - 1 - part.start + part.offset
        return Native(part.file, library(part.file).name(offset) or f"{part.file.rpartition('/')[2]}+0x{offset:x}")


def chain(frames: Iterable[Native]) -> tuple[Native, ...]:
    """Choose the native calls of a thread, innermost first up to Python's, from all that may be one.

    From a library on the interpreter is met again only where it has called: the rest is left over from
    earlier calls. A function without a name is shown where it calls a named one of a library, once.
    """
    found: list[Native] = []
    for one in frames:
        inside = any(map(_is_library, found))
        if (
            one.function.startswith(INTERPRETER)
            or len(found) >= MAX_FRAMES
            or (one.function == "drop_gil" and not inside)
        ):
            break
        if one in found or (inside and _PYTHON.search(one.file)):
            continue
        if _is_nameless(one) and not (found and _is_library(found[-1]) and _calls(one, found[-1])):
            continue
        found.append(one)
    return tuple(one for at, one in enumerate(found) if not (_BUILT_IN.search(one.file) and _is_left_over(found, at)))


def _is_left_over(found: Sequence[Native], at: int) -> bool:
    """Check whether a function of a module of Python's own would call another module, or be called by a library."""
    inner = (one for one in found[:at] if _EXTENSION.search(one.file))
    outer = (one for one in found[at + 1 :] if _is_library(one))
    return any(one.file != found[at].file for one in (*inner, *outer))


def _is_library(one: Native) -> bool:
    """Check whether a function is neither the system's nor the interpreter's."""
    return not (_SYSTEM.search(one.file) or _PYTHON.search(one.file))


def _is_nameless(one: Native) -> bool:
    return "+0x" in one.function


def _calls(one: Native, inner: Native) -> bool:
    """Check whether to show a function without a name: of a library, after no other of the same."""
    return _is_library(one) and not (_is_nameless(inner) and inner.file == one.file)


def is_call(before: bytes) -> bool:
    """Check whether the code that ends here is a call."""
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
