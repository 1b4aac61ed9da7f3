"""Results that the program drops, of functions that change nothing in place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType
from typing import Any

from mlxprobe.agent.introspection.call_site import Site, is_users
from mlxprobe.agent.introspection.code_ownership import AGENT
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.work import ResultDropped

WORD = 2  # bytes of an instruction
FUNCTIONS = ("clip", "where", "maximum", "minimum", "add", "subtract", "multiply", "divide", "put_along_axis", "sort")
AT = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
STORED = 16


class Dropped(Inspector):
    """Hear of what ports of other frameworks mean to change in place, while a step is looked at."""

    emits = (ResultDropped,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._loans = Loans()
        self._stored: dict[tuple[CodeType, int], tuple[Lost, str]] = {}  # calls that end a round of a loop
        self._known: set[tuple[CodeType, int]] = set()  # those that were looked at

    def calling(self) -> None:
        if self._loans.names:
            return
        import mlx.core as mx

        numbers()  # while nothing is followed
        for name in FUNCTIONS:
            self._loans.replace(mx, name, partial(self._heard, f"mx.{name}"))
        for name in AT:
            self._loans.replace(type(mx.array(0).at), name, partial(self._heard, f"at[…].{name}"))

    def calling_in_trace(self) -> None:
        self.calling()

    def called_in_trace(self, call: Call) -> None:
        self._loans.give_back()

    def _heard(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not self.inspection.busy:
                self._hear(name)
            return original(*args, **kwargs)

        return call

    def _hear(self, name: str) -> None:
        lost = losing()
        if lost is not None and lost.at < 0:
            self.inspection.recorder.fact(ResultDropped(of=name), lost.site)
        elif lost is not None and len(self._stored) < STORED:
            self._stored.setdefault((lost.code, lost.at), (lost, name))

    def look(self, step: int) -> None:
        self._loans.give_back()
        for key, (lost, name) in self._stored.items():
            if key not in self._known and dies(*key):
                self.inspection.recorder.fact(ResultDropped(of=name), lost.site)
        self._known |= self._stored.keys()

    def forget(self) -> None:
        self._loans.give_back()


class Lost:
    """A call whose result is dropped, or stored `at` the end of a loop: there `dies` tells whether anybody reads it."""

    def __init__(self, site: Site, code: CodeType, at: int) -> None:
        self.site, self.code, self.at = site, code, at


@functools.cache
def numbers() -> tuple[int, int, int, set[int]]:
    """Return the instructions that drop, store and wait, and those that go back to where a loop begins."""
    from opcode import opmap  # for a look alone

    back = {number for name, number in opmap.items() if name.startswith(("JUMP_BACKWARD", "JUMP_ABSOLUTE"))}
    return opmap["POP_TOP"], opmap["STORE_FAST"], opmap.get("CACHE", -1), back


def losing() -> Lost | None:
    """Return the line of somebody's code that has just called, where what it gets may be lost."""
    frame: FrameType | None = bound.frame(1)
    while frame is not None and frame.f_code.co_filename.startswith(AGENT):
        frame = frame.f_back
    if frame is None or not is_users(frame.f_code.co_filename):
        return None
    (pop, store, cache, back), code = numbers(), frame.f_code.co_code
    after = frame.f_lasti + WORD
    while code[after] == cache:
        after += WORD
    pops = code[after] == pop
    if not pops and not (code[after] == store and code[after + WORD] in back):
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
