"""Names of the functions in a shared library, by address: read off its own tables (ELF, 64 bits)."""

from __future__ import annotations

import bisect
import functools
import mmap
import re
import struct
from typing import NamedTuple

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
SEGMENT = struct.Struct("<IIQQQQQQ")
FUNCTIONS = (2, 10)  # their type in a symbol's low bits
SYMTAB, DYNSYM, LOAD = 2, 11, 1
_PART = re.compile(rb"(\d+)")


class Library(NamedTuple):
    """The functions of a file, ordered by their starts, and where the file's parts are loaded."""

    starts: list[int]
    functions: list[tuple[int, bytes]]  # size and name
    loads: list[tuple[int, int, int]]  # offset in the file, its address, size

    def name(self, offset: int) -> str:
        """Return the function that a place in the file belongs to; empty where none is known."""
        for start, address, size in self.loads:
            if start <= offset < start + size:
                at = offset - start + address
                found = bisect.bisect_right(self.starts, at) - 1
                if found >= 0 and at < self.starts[found] + self.functions[found][0]:
                    return plain(self.functions[found][1])
        return ""


@functools.cache
def library(path: str) -> Library:
    """Read a file's functions; none where it is no such file."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parsed(data)
    except (OSError, ValueError, struct.error):
        return Library([], [], [])


def _parsed(data: mmap.mmap) -> Library:
    head = HEADER.unpack_from(data)
    if head[0][:5] != b"\x7fELF\x02":
        return Library([], [], [])
    sections = [SECTION.unpack_from(data, head[6] + k * head[11]) for k in range(head[12])]
    segments = [SEGMENT.unpack_from(data, head[5] + k * head[9]) for k in range(head[10])]
    tables = sorted((one for one in sections if one[1] in (SYMTAB, DYNSYM)), key=lambda one: one[1])
    found: dict[int, tuple[int, bytes]] = {}
    for table in tables[:1]:
        names = sections[table[6]][4]
        for name, info, _, _, value, size in SYMBOL.iter_unpack(data[table[4] : table[4] + table[5]]):
            if info & 15 in FUNCTIONS and size:
                start = names + name
                found[value] = size, data[start : data.find(b"\0", start)]
    starts = sorted(found)
    loads = [(one[2], one[3], one[5]) for one in segments if one[0] == LOAD]
    return Library(starts, [found[start] for start in starts], loads)


def plain(mangled: bytes) -> str:
    """Return a C++ function's name with its scopes, without its arguments; another name as it is."""
    if not mangled.startswith(b"_Z"):
        return mangled.decode(errors="replace").partition("@")[0]
    rest = mangled[2:].lstrip(b"TVLNKrO")
    parts = []
    if rest.startswith(b"St"):
        parts, rest = ["std"], rest[2:]
    while found := _PART.match(rest):
        size, start = int(found[1]), found.end()
        parts.append(rest[start : start + size].decode(errors="replace"))
        rest = rest[start + size :].removeprefix(b"L")
        while rest[:1] in (b"B",) and (tag := _PART.match(rest[1:])):  # [abi:cxx11]
            rest = rest[1 + tag.end() + int(tag[1]) :]
    return "::".join(parts).replace("_GLOBAL__N_1", "(anonymous)") or mangled.decode(errors="replace")
