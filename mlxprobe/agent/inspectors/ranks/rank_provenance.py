"""Where a rank's model, its batches and its rounds come from: told once, for the words of what parts it from others."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mlxprobe.agent.inspectors.losses.loss_graph import unique
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site, isolated_import, loops
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.free_variables import SCOPES
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire.ranks import declared
from mlxprobe.protocol.facts.ranks import BatchMade, ModelMade, Rounds

MOST = 4
Ways = tuple[list[str], list[str], list[str]]
MODULES, SITES = 1000, 4
OBSERVED = (  # among other ranks
    Observe("mlx.core.random.seed", "_seeds"),
    Observe("mlx.nn.layers.base.Module.__init__", "_makes", after=True),
)


class Whence(Inspector):
    """Read them off the source at a few gradient calls, where there are other ranks."""

    emits = (BatchMade, ModelMade, Rounds)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._among_others = declared()[0] >= 0
        self._seed: tuple[str, call_site.Site] = "", call_site.NOWHERE  # the last one
        self._made: dict[int, tuple[call_site.Site, str, call_site.Site]] = {}  # modules, where, and after which seed
        self._told: set[call_site.Site] = set()
        if self._among_others:
            inspection.intercepts.add(self, OBSERVED)

    def _seeds(self, event: CallEvent) -> None:
        if not self.inspection.recorder.gradients:
            self._seed = str(event["seed"]), call_site.calling()

    def _makes(self, event: CallEvent) -> None:
        if not self.inspection.recorder.gradients and len(self._made) < MODULES:
            self._made[id(event["self"])] = call_site.calling(), *self._seed

    def called(self, call: Call) -> None:
        if not self._among_others or call.site in self._told or len(self._told) >= SITES:
            return
        self._told.add(call.site)
        recorder, made = self.inspection.recorder, self._made.get(id(call.model))
        if made is not None:
            site, seed, seeded = made
            recorder.revise(ModelMade(seed=seed, seeded=call_site.brief(seeded)), site)
        batch = [name for name, one in unique(call.data) if one.ndim > 1]
        with isolated_import.importable():
            from mlxprobe.agent.recording import value_provenance

            way = around(call_site.way()[0])
            place = value_provenance.datum(call, batch[0]) if batch else call_site.NOWHERE
        recorder.revise(Rounds(left=tuple(way[0]), skipped=tuple(way[1]), made=tuple(way[2])), call.site)
        if place[1]:
            recorder.revise(BatchMade(), place)


def around(way: tuple[call_site.Site, ...]) -> Ways:
    """Name the lines that leave a loop around some lines, that begin its next round, and that yield what it takes.

    Lines of one function each, the innermost first.
    """
    left: list[str] = []
    skipped: list[str] = []
    made: list[str] = []
    for file, line in way:
        whole = loops.module(file) if call_site.whose(file) == OWN else None
        for loop in _loops(whole, line) if whole is not None else ():
            for node in _own(loop):
                if isinstance(node, (ast.Break, ast.Return)):
                    left.append(call_site.brief((file, node.lineno)))
                elif isinstance(node, ast.Continue) and node.lineno < line:
                    skipped.append(call_site.brief((file, node.lineno)))
            made += [call_site.brief((file, one)) for one in _yielding(whole, loop)] if whole is not None else []
    return left[:MOST], skipped[:MOST], made[:MOST]


def _loops(whole: ast.Module, line: int) -> list[loops.Loop]:
    """List the loops of one function whose bodies hold a line, the inner ones first."""
    functions = [one for one in ast.walk(whole) if isinstance(one, SCOPES) and _holds(one, line)]
    inner: ast.AST = max(functions, key=lambda one: one.lineno, default=whole)
    found = [one for one in loops.within(inner) if isinstance(one, loops.Loop)]
    return [one for one in reversed(found) if one.body[0].lineno <= line <= (one.body[-1].end_lineno or 0)]


def _holds(one: ast.AST, line: int) -> bool:
    return getattr(one, "lineno", line + 1) <= line <= (getattr(one, "end_lineno", 0) or 0)


def _own(loop: loops.Loop) -> list[ast.AST]:
    """List what a loop's body holds; of inner loops only what leaves the function."""
    body = [one for node in loop.body for one in (node, *loops.within(node))]
    inner = {id(one) for each in body if isinstance(each, loops.Loop) for one in loops.within(each)}
    return [one for one in body if isinstance(one, ast.Return) or id(one) not in inner]


def _yielding(whole: ast.Module, loop: loops.Loop) -> Iterator[int]:
    """List the lines of the loops that yield what a loop takes, where it calls a generator of the same file."""
    over = loop.iter if isinstance(loop, ast.For) else None
    while isinstance(over, ast.Call) and over.args and ast.unparse(over.func).rpartition(".")[2] in loops.AROUND:
        over = over.args[0]
    if not isinstance(over, ast.Call):
        return
    name = ast.unparse(over.func).rpartition(".")[2]
    for one in ast.walk(whole):
        if isinstance(one, ast.FunctionDef) and one.name == name:
            yielding = [each for each in loops.within(one) if isinstance(each, loops.Loop)]
            yield from (each.lineno for each in yielding if any(isinstance(k, ast.Yield) for k in loops.within(each)))
