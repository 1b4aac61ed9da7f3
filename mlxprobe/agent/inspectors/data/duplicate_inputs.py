"""Inputs that are equal to one another, or to what they are compared with; targets that are one of their columns."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.inspectors.losses.loss_graph import LAZY, is_amount, unique
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.data import InputsAlike, TargetGiven

MOST, HELD_BYTES = 6, 1 << 20  # arrays of a call, and of each
ROWS, COLUMNS = 8, 4096
SURE, LOOKS = 4, 24


class Counts:
    """What was seen of the calls at one place: looks that found the same, and what they found."""

    def __init__(self) -> None:
        self.looks = 0
        self.alike: dict[tuple[str, str], int] = {}
        self.column: dict[tuple[str, str, int], int] = {}
        self.sums: dict[tuple[str, str], set[float]] = {}
        self.built: dict[tuple[str, str], tuple[str, int]] = {}  # where one of two is built, beside the other
        self.shared: dict[tuple[str, str], bool] = {}  # whether the first layers that take both have a weight in common
        self.void: dict[tuple[str, str], bool] = {}  # whether the loss takes one from the other
        self.beside: set[str] = set()  # what no layer is given


class Twins(Inspector):
    """Compare what a gradient call is given, once the program has evaluated it."""

    emits = (InputsAlike, TargetGiven)
    builds_on = ("Losses",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: tuple[dict[str, Any], dict[str, Any], Any, str, tuple[str, int]] | None = None
        self._known: dict[tuple[str, int], Counts] = {}

    def called(self, call: Call) -> None:
        view, counts = self.inspection.view, self._known.setdefault(call.site, Counts())
        if counts.looks >= LOOKS:
            return
        named = [(name, one) for name, one in unique(call.data)[:MOST] if is_amount(one) and one.nbytes <= HELD_BYTES]
        fed, compared = view.fed, view.compared
        inputs = {name: one for name, one in named if id(one) in fed and one.ndim > 1 and one.shape[0] >= ROWS}
        beside = {name: one for name, one in named if id(one) not in fed and one.ndim > 1 and one.shape[0] >= ROWS}
        counts.beside |= beside.keys()
        target = compared[0][1] if len(compared) == 1 else None
        name = next((name for name, one in named if one is target), "")
        if counts.looks == SURE - 1:
            pairs = [*((one, other) for other, one in counts.alike), *((one, other) for one, other, _ in counts.column)]
            counts.built = {pair: self._built(call, pair) for pair in pairs[:MOST]}
        lazy = call.loss is None or self.inspection.recorder.lazy_steps > LAZY
        for pair in [] if lazy else counts.alike.keys() - counts.shared.keys():
            if inputs.keys() | beside.keys() >= {*pair}:
                counts.shared[pair], counts.void[pair] = related(call, *((inputs | beside)[one] for one in pair))
        if inputs and (name or len(inputs) + len(beside) > 1):
            self._held = inputs, beside, target if name else None, name, call.site

    @staticmethod
    def _built(call: Call, pair: tuple[str, str]) -> tuple[str, int]:
        with isolated_import.importable():
            from mlxprobe.agent.recording import value_provenance
        return value_provenance.datum(call, *pair)

    def forget(self) -> None:
        self._held = None

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        if held is None:
            return
        inputs, beside, target, name, site = held
        if self.inspection.pending([*inputs.values(), *beside.values(), *([] if target is None else [target])]):
            return
        counts = self._known[site]
        counts.looks += 1
        self._compare(inputs, beside, counts)
        if target is not None:
            self._seek(inputs, target, name, counts)
        if counts.looks >= SURE:
            self._tell(counts, site)

    def _compare(self, inputs: dict[str, Any], beside: dict[str, Any], counts: Counts) -> None:
        """Compare each input with the others, and with what no layer is given."""
        import mlx.core as mx

        every = [*inputs.items(), *beside.items()]
        for k, (name, one) in enumerate(inputs.items()):
            for other, two in every[k + 1 :]:
                if one.shape == two.shape and one.dtype == two.dtype and bool(mx.array_equal(one, two).item()):
                    counts.alike[name, other] = counts.alike.get((name, other), 0) + 1
                    counts.sums.setdefault((name, other), set()).add(lazy_graph.number(mx.sum(one)))

    def _seek(self, inputs: dict[str, Any], target: Any, called: str, counts: Counts) -> None:
        """Look for a column that is the target, in all rows; several places are read as columns too."""
        import mlx.core as mx

        rows = target.shape[0] if target.ndim and target.size == target.shape[0] else 0
        flat = target.reshape(-1, 1)
        if rows < ROWS or lazy_graph.number(mx.max(flat) - mx.min(flat)) == 0:
            return
        for name, one in inputs.items():
            if one.shape[0] == rows and rows < one.size <= rows * COLUMNS:
                same = mx.all(one.reshape(rows, -1) == flat, axis=0)
                at = int(mx.argmax(same).item())
                if bool(same[at].item()):
                    counts.column[called, name, at] = counts.column.get((called, name, at), 0) + 1

    def _tell(self, counts: Counts, site: tuple[str, int]) -> None:
        recorder, looks = self.inspection.recorder, counts.looks
        for (name, other), times in counts.alike.items():
            shared, void = (known.get((name, other), False) for known in (counts.shared, counts.void))
            same = looks * (times == looks and len(counts.sums[name, other]) >= SURE)
            place, seen = call_site.blamed(counts.built.get((other, name), call_site.NOWHERE), site)
            if void or other not in counts.beside:
                told = InputsAlike(one=name, other=other, shared=shared, void=void, looks=same, seen=seen)
                recorder.revise(told, place)
        for (target, name, at), times in counts.column.items():
            place, seen = call_site.blamed(counts.built.get((target, name), call_site.NOWHERE), site)
            same = looks * (times == looks)
            recorder.revise(TargetGiven(target=target, input=name, at=at, looks=same, seen=seen), place)


def related(call: Call, *inputs: Any) -> tuple[bool, bool]:
    """Tell of two inputs whether the first layers that they come to share a weight, and whether they cancel out."""
    names = {f"v{k}": one for k, one in enumerate(inputs)}
    drawn = LossGraph(lazy_graph.dot(loss=call.loss, **names), frozenset(names))
    first, second = (drawn.met_first(name) for name in names)
    return bool(first & second), drawn.cancels(*names)
