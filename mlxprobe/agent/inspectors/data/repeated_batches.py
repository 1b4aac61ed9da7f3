"""What batches hold: whether they come again, and whether rows differ."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.digests import digest
from mlxprobe.agent.inspectors.losses.constant_baseline import Targets
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount, unique
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.data import ConstantLevel, InputStill, RowsAlike, SameBatch

MOST = 8  # arrays of a batch
HELD_BYTES = 1 << 20  # of each, up to the end of its step
LOOKS = 40
ENOUGH_ROWS, ENOUGH_LOOKS = 4, 3
STILL, LONG = 4, 100  # looks at what never changed, and gradient calls
SAME_IS_SURE = 8  # looks, the first four of them one after another
TINY = 1e-12


class Seen:
    """One argument of the gradient calls of one place."""

    def __init__(self) -> None:
        self.looks = self.size = 0
        self.same = 0  # looks that found what the first found
        self.shape: tuple[int, ...] = ()
        self.first: tuple[object, ...] = ()  # the digest of what the first found
        self.anew = 0  # of these, those at which it was another object than at the look before
        self.last: Any = None
        self.called: dict[str, bound.ref[Any]] = {}  # what the program calls it
        self.alike = 0  # looks at which all rows were equal, and no constant
        self.rows: set[tuple[float, ...]] = set()  # the first row of each
        self.amounts = False  # whether it is of floating-point numbers
        self.inputs = False  # whether it has several numbers a row, and reaches a layer
        self.whole: tuple[str, int, bool] | None = (
            None  # what it is but a part of, its rows, and whether cut off by a line
        )


class Data(Inspector):
    """Hold what a gradient call is given until it is evaluated, and read a little of it at a few steps."""

    emits = (ConstantLevel, InputStill, RowsAlike, SameBatch)
    builds_on = ("Losses",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[dict[str, Any], list[tuple[int, str, Any]], Any, tuple[str, int]]] = []
        self._known: dict[tuple[str, int], dict[str, Seen]] = {}
        self._targets: dict[int, Targets] = {}
        self._looks = 0
        self._begun_again = call_site.NOWHERE  # a line that would make the same batch at every step

    def called(self, call: Call) -> None:
        if self._looks >= LOOKS or self._held:
            return
        arrays = {name: one for name, one in unique(call.data)[:MOST] if one.nbytes <= HELD_BYTES and one.size}
        targets = [one for one in self.inspection.view.targets if one[2].nbytes <= HELD_BYTES]
        fed = self.inspection.view.fed or {*map(id, arrays.values())} - {id(one) for _, _, one in targets}
        known = self._known.setdefault(call.site, {})
        for name, one in arrays.items():
            seen = known.setdefault(name, Seen())
            seen.amounts = is_amount(one)
            seen.inputs = one.ndim > 1 and id(one) in fed and one.size > one.shape[0]
            last = seen.last() if seen.last is not None else None
            seen.anew += last is not one
            seen.last = bound.ref(one)
            if seen.same == SAME_IS_SURE - 1 and seen.anew >= SAME_IS_SURE and one.ndim and not self.inspection.inside:
                seen.called = self._within().names(one)
        self._held.append((arrays, targets, call.loss, call.site))

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        for arrays, targets, loss, site in held:
            if self.inspection.pending([*arrays.values(), *(one for _, _, one in targets)]):
                continue
            self._looks += 1
            for name, one in arrays.items():
                self._read(self._known[site][name], one)
            self._look_for_whole(self._known[site], arrays)
            known = self._value(loss) if len(targets) == 1 else None
            for stream, kind, one in targets:
                self._targets.setdefault(stream, Targets(kind)).add(one, known)
            if self._looks & (self._looks - 1) == 0:
                self._tell()

    def _value(self, loss: Any) -> float | None:
        known = loss is not None and loss.size == 1 and not self.inspection.pending([loss])
        value = loss.item() if known else None
        return None if isinstance(value, complex) else value

    def _look_for_whole(self, known: dict[str, Seen], arrays: dict[str, Any]) -> None:
        """Look among what the program's functions hold for arrays with more rows, this batch's among them."""
        if self.inspection.inside or any(one.same != one.looks for one in known.values()):
            return
        for name, one in arrays.items():
            if known[name].same == SAME_IS_SURE and known[name].anew >= SAME_IS_SURE and one.ndim:
                known[name].whole = self._within().find(one, known[name].called)
                self._begun_again = self._within().begun_again()

    @staticmethod
    def _within() -> Any:
        with isolated_import.importable():
            from mlxprobe.agent.recording import source_arrays
        return source_arrays

    def finish(self) -> None:
        self._tell()

    def _read(self, seen: Seen, one: Any) -> None:
        import mlx.core as mx

        rows, parts = one.shape[0] if one.ndim > 1 else 0, []
        if rows >= ENOUGH_ROWS:
            first = one[0].reshape(-1).astype(mx.float32)
            parts = [mx.max(mx.abs(one[1:] - one[:1]).astype(mx.float32)), mx.max(first) - mx.min(first)]
            lazy_graph.evaluate(parts)
        content = digest(one)
        seen.looks, seen.size, seen.shape = seen.looks + 1, int(one.size), seen.shape or tuple(one.shape)
        seen.first = seen.first or content
        seen.same += content == seen.first
        if parts and parts[0].item() == 0:
            seen.alike += 1
            seen.rows.add(tuple(first[:64].tolist()) if parts[1].item() > 0 else ())

    def _tell_still(self, site: tuple[str, int], inputs: dict[str, Seen]) -> None:
        """Tell of an input that is one array in the whole run, beside one of as many rows that always changes."""
        still = {name: one for name, one in inputs.items() if one.amounts and one.anew == 1 and one.same == one.looks}
        for name, one in still.items():
            others = [key for key, other in inputs.items() if other.same == 1 and other.shape[:1] == one.shape[:1]]
            long = one.looks >= STILL and self.inspection.recorder.gradients >= LONG
            if others and long and one.alike == 0:
                told = InputStill(argument=name, looks=one.looks, beside=others[0])
                self.inspection.recorder.revise(told, site)

    def _tell(self) -> None:
        recorder = self.inspection.recorder
        for site, known in self._known.items():
            inputs = {name: one for name, one in known.items() if one.inputs and one.looks >= ENOUGH_LOOKS}
            alike = tuple(name for name, one in inputs.items() if one.alike == one.looks)
            if alike and len(alike) == len(inputs):
                moves = any(len(inputs[name].rows - {()}) >= ENOUGH_LOOKS for name in alike)
                recorder.revise(RowsAlike(names=alike, looks=inputs[alike[0]].looks, moves=moves), site)
            self._tell_still(site, inputs)
            parts = [(one.size, name) for name, one in known.items() if one.whole is not None]
            if parts:
                name = max(parts)[1]
                whole, rows, cut = known[name].whole or ("", 0, True)
                same = all(one.same == one.looks for one in known.values())  # else what was told is taken back
                place, seen = call_site.blamed(self._begun_again, site)
                looks = known[name].looks * same
                told = SameBatch(argument=name, looks=looks, whole=whole, rows=rows, cut=cut, seen=seen)
                recorder.revise(told, place)
        for stream, targets in self._targets.items():
            if targets.read:
                level, error = targets.level()
                gain, gain_error = targets.gain()
                recorder.revise(
                    ConstantLevel(
                        stream=stream,
                        level=level,
                        error=error,
                        gain=gain,
                        gain_error=gain_error,
                        kind=targets.kind,
                        whole=targets.whole,
                        read=targets.read,
                        batches=targets.batches,
                        alone=len(targets.alone),
                        returns=targets.returns(),
                        different=len(targets.counts),
                        unseen=targets.unseen(),
                    ),
                    recorder.gradient_site,
                )
