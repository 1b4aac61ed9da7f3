"""Iterators that are used up in the first round of a loop, and iterated in each."""

from __future__ import annotations

import functools
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.data import UsedUp

if TYPE_CHECKING:
    import ast

FRAMES, MOST = 6, 8
Held = tuple[FrameType, Any]  # a loop, and the frame that it runs in


class Source:
    """An iterator that outlives the loop around the one that iterates it."""

    def __init__(self, one: Any, name: str, outer: ast.For, site: tuple[str, int]) -> None:
        self.one = one
        import ast

        self.name = name
        self.target = ast.unparse(outer.target)
        self.outer = outer.lineno
        self.site = site
        self.scope: dict[str, Any] | None = None  # of a module, which is there when the program has ended
        self.round: Any = None  # at the last look
        self.left: int | None = None  # rounds that were to come then, as far as is known
        self.stays = True  # whether nothing ends that loop before
        self.empty: list[Any] = []  # rounds at which it was used up


class Supply(Inspector):
    """Find, at a few gradient calls, the loops around them, and what they iterate that was made before."""

    emits = (UsedUp,)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._sources: dict[tuple[str, int], Source] = {}
        self._told: set[tuple[str, int]] = set()

    def called(self, call: Call) -> None:
        self._look_around()

    def given(self, args: Any) -> None:
        self._look_around()

    def _look_around(self) -> None:
        import ast

        rounds = reader()
        frames = call_site.program_frames()[:FRAMES]
        loops: list[Held] = [(frame, loop) for frame in frames for loop in rounds.enclosing(frame)]
        for place, (frame, loop) in enumerate(loops):
            inner = [one for one in rounds.within(loop, rounds.BRANCHES) if isinstance(one, ast.For)]
            mine = {id(one) for _, one in loops}
            for one in inner:
                if id(one) not in mine:
                    self._judge(frame, one, loops[place : place + 1])
            if isinstance(loop, ast.For):
                self._judge(frame, loop, loops[place + 1 : place + 2])

    def _judge(self, frame: FrameType, inner: ast.For, around: list[Held]) -> None:
        """Keep what a loop takes from, where the next one around it does not make it anew."""
        import ast

        rounds = reader()
        for node in rounds.iterated(inner) if around else ():
            one = rounds.value(frame, node)
            where, outer = around[0]
            if not isinstance(one, rounds.ONCE) or not isinstance(outer, ast.For) or rounds.is_left(inner):
                continue
            names = [ast.Name(k) for k, held in call_site.variables(where).items() if held is one]
            if where is frame or (isinstance(node, ast.Attribute) and rounds.value(where, node) is one):
                names = [node]  # `self.data` is the same in both methods
            file = where.f_code.co_filename
            if names and not any(rounds.is_made_in(outer, name, file) for name in names):
                self._keep(one, ast.unparse(node), where, outer, (frame.f_code.co_filename, inner.lineno))

    def _keep(self, one: Any, name: str, where: FrameType, outer: ast.For, site: tuple[str, int]) -> None:
        rounds = reader()
        if len(self._sources) >= MOST and site not in self._sources:
            return
        known = self._sources.get(site)
        if known is None or known.one is not one:
            known = self._sources[site] = Source(one, name, outer, site)
        known.round = round_of(call_site.variables(where), known.target)
        known.left, known.stays = rounds.rounds_left(where, outer), not rounds.is_left(outer)
        known.scope = where.f_globals if where.f_code.co_name == "<module>" else None
        if rounds.is_used_up(one) and known.round not in known.empty:
            known.empty.append(known.round)
            if len(known.empty) > 1:
                self._tell(known)

    def finish(self) -> None:
        if not self._sources:
            return
        rounds = reader()
        for known in [one for one in self._sources.values() if not one.empty and rounds.is_used_up(one.one)]:
            if known.scope is None:
                more = known.stays and (known.left or 0) > 0
            else:
                more = known.left != 0 and round_of(known.scope, known.target) != known.round
            if more:
                self._tell(known)

    def _tell(self, known: Source) -> None:
        if known.site not in self._told:
            self._told.add(known.site)
            outer = call_site.brief((known.site[0], known.outer))
            kind = type(known.one).__name__
            self.inspection.recorder.fact(UsedUp(iterator=known.name, kind=kind, outer=outer), known.site)


@functools.cache
def reader() -> ModuleType:
    """Import what reads loops, which looks alone need."""
    with isolated_import.importable():
        from mlxprobe.agent.introspection import loops as rounds
    return rounds


def round_of(scope: Any, target: str) -> tuple[Any, ...]:
    """Name the round of a loop by what its target is."""
    values = [scope.get(name) for name in target.strip("()").split(", ")]
    return tuple(one if static.is_a(one, (int, float, str)) else id(one) for one in values)
