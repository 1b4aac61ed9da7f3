"""Whether what a call returns is lost where it is returned, as the caller's own instructions have it."""

from __future__ import annotations

import opcode
import sys
from types import CodeType, FrameType
from typing import Any

from mlxprobe.agent.code.roots import AGENT
from mlxprobe.agent.code.sites import Site, is_users

WORD = 2  # bytes of an instruction
POP, STORE = opcode.opmap["POP_TOP"], opcode.opmap["STORE_FAST"]
CACHE = opcode.opmap.get("CACHE", -1)
BACK = {opcode.opmap[name] for name in opcode.opmap if name.startswith(("JUMP_BACKWARD", "JUMP_ABSOLUTE"))}


class Lost:
    """A call whose result is dropped, or stored `at` the end of a loop: there `dies` tells whether anybody reads it."""

    def __init__(self, site: Site, code: CodeType, at: int) -> None:
        self.site, self.code, self.at = site, code, at


def losing() -> Lost | None:
    """Return the line of somebody's code that has just called, where what it gets may be lost."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(AGENT):
        frame = frame.f_back
    if frame is None or not is_users(frame.f_code.co_filename):
        return None
    code = frame.f_code.co_code
    after = frame.f_lasti + WORD
    while code[after] == CACHE:
        after += WORD
    pops = code[after] == POP
    if not pops and not (code[after] == STORE and code[after + WORD] in BACK):
        return None
    return Lost((frame.f_code.co_filename, frame.f_lineno), frame.f_code, -1 if pops else after)


def dies(code: CodeType, offset: int) -> bool:
    """Tell whether a loop gives a variable its next value, before anybody reads what is stored in it there.

    Not for what runs within a function that is followed: `dis` makes its tuples by code without a source.
    """
    import dis  # for the few calls whose result is stored so

    every = list(dis.get_instructions(code))
    here = next(k for k, one in enumerate(every) if one.offset == offset)
    name, back = every[here].argval, every[here + 1].argval
    loop = next((k for k, one in enumerate(every) if one.offset == back), 0)
    if every[loop].opname != "FOR_ITER":
        return False
    given: list[Any] = []
    for one in every[loop + 1 :]:
        if not one.opname.startswith(("STORE_FAST", "UNPACK", "CACHE")) or "LOAD" in one.opname:
            break
        given += one.argval if isinstance(one.argval, tuple) else [one.argval]
    later = (one for one in every if one.offset >= every[loop].argval and one.opname.startswith("LOAD"))
    return name in given and not any(name in (one.argval, *_parts(one.argval)) for one in later)


def _parts(one: Any) -> tuple[Any, ...]:
    return one if isinstance(one, tuple) else ()
