"""Weights that a line of the program makes one array, and that training takes apart."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import TieParted

MOST = 4  # models
UPDATES = 3  # by then a tie that is made anew after each is known
TIES = re.compile(r"\s*[\w.\[\]]*\w\.\w+\s*=\s*[\w.\[\]]+\.\w+\s*(#.*)?$").match  # one attribute given to another
Site = tuple[str, int]


class Tie:
    """Two parameters of a model that a line gives one array."""

    def __init__(self, model: Any, paths: tuple[str, str], site: Site) -> None:
        self.model: Callable[[], Any] = bound.ref(model)
        self.paths = paths
        self.site = site
        self.updates = -1  # when they were seen to be the same
        self.held: list[Any] = []

    def now(self) -> list[Any]:
        """Return the two as they are."""
        named = dict(lazy_graph.named_leaves(self.model().trainable_parameters())) if self.model() is not None else {}
        return [named[path] for path in self.paths if path in named]


class Ties(Inspector):
    """See at a model's first update whether two such parameters are the same, and later whether they still are."""

    emits = (TieParted,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._met: set[int] = set()
        self._ties: list[Tie] = []

    def training(self, model: Any, optimizer: Any) -> None:
        updates = self.inspection.recorder.updates
        if static.is_module(model) and id(model) not in self._met and len(self._met) < MOST:
            self._met.add(id(model))
            self._ties += [Tie(model, *found) for found in tying(model, self.inspection.recorder.gradient_site[0])]
        for tie in self._ties:
            if tie.updates < 0 and tie.model() is model:
                tie.held = tie.now()
            elif tie.updates + UPDATES <= updates and tie.model() is model and self._same(tie.now()) is False:
                self._ties.remove(tie)
                kinds = tuple(type(owner(model, path)).__name__ for path in tie.paths)
                told = TieParted(one=tie.paths[0], other=tie.paths[1], kinds=kinds)
                self.inspection.recorder.fact(told, tie.site)
                break

    def forget(self) -> None:
        for tie in self._ties:
            tie.held = []

    def look(self, step: int) -> None:
        """Keep those that began alike."""
        known = [(tie, self._same(tie.held)) for tie in self._ties if tie.updates < 0]
        self.forget()
        for tie, same in known:
            if same:
                tie.updates = self.inspection.recorder.updates
            elif same is False:
                self._ties.remove(tie)

    def _same(self, arrays: list[Any]) -> bool | None:
        """Tell whether two arrays are equal; None where that cannot be known, or both are constant."""
        if len(arrays) < 2 or self.inspection.pending(arrays, copies=False):
            return None
        one, other = lazy_graph.numbers_each([lazy_graph.sample(array) for array in arrays])
        return one == other if len(set(one)) > 1 else None


def tying(model: Any, file: str) -> Iterator[tuple[tuple[str, str], Site]]:
    """List the pairs of matrices of weights of which a line gives one to the other's attribute, with that line.

    It stands in the file of a class of the model's, or in the one that trains.
    """
    kinds = {type(part).__module__ for part in model.modules()}
    files = {call_site.file_of(kind) for kind in kinds} | {file}
    files = {name for name in files if name and call_site.is_users(name) and any(map(TIES, linecache.getlines(name)))}
    if not files:
        return
    import ast

    with isolated_import.importable():
        from mlxprobe.agent.introspection.loops import module
    lines = [
        (ast.unparse(node.targets[0]), ast.unparse(node.value), (name, node.lineno))
        for name in sorted(files)
        for node in ast.walk(module(name) or ast.Module([], []))
        if isinstance(node, ast.Assign) and all(isinstance(one, ast.Attribute) for one in (*node.targets, node.value))
    ]
    named = [(path, one) for path, one in lazy_graph.named_leaves(model.trainable_parameters()) if one.ndim > 1]
    for target, value, site in lines if len(named) > 1 else ():
        ends = [
            [(path, one) for path, one in named if f".{text}".endswith(f".{end(path)}")] for text in (target, value)
        ]
        if len(ends[0]) == len(ends[1]) == 1 and ends[0] != ends[1] and ends[0][0][1].shape == ends[1][0][1].shape:
            yield (ends[0][0][0], ends[1][0][0]), site


def end(path: str) -> str:
    """Return what a path and the program's own words for a parameter have in common."""
    return ".".join(path.split(".")[-2:])


def owner(model: Any, path: str) -> Any:
    """Return the module that has a parameter."""
    for name in path.split(".")[:-1]:
        model = model[int(name)] if static.is_a(model, list) else model[name]
    return model
