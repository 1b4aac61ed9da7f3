"""Whether a next-token model sees the future: one early probe with a later input changed."""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.models.model_calls import Made
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.trees import SingleError, doubled, is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Quietly
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.replay.sandbox import Refused, Sandbox, in_evaluation
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.models import CausalityTested, StateCarriedOver

ROWS = 2  # of the batch: the probe costs four forward passes over them
CHOSEN_FROM = 16
LEAK = 1e-3  # of the change that the changed position itself shows


class Causality(Inspector):
    """Take one call of the model from a gradient call, make it anew, and compare the earlier outputs.

    The state of the model and the random state are put back, so that the program's own numbers stay
    bit-equal.
    """

    emits = (StateCarriedOver, CausalityTested)
    builds_on = ("Indices", "Heard")
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._site = ("", 0)
        self._told = False
        self._leaky = ""  # a model that was seen to look ahead, before it is told

    def called(self, call: Call) -> None:
        self._site = call.site

    def look(self, step: int) -> None:
        """Probe once all that the program evaluates is."""
        if self._told:
            return
        for made in [one for one in self.inspection.heard if one.module is not None]:
            shape = next((one for one in made.shapes if len(one) == 3), ())
            if not any(is_ids(one, shape) for one in lazy_graph.leaves([made.args, made.kwargs])):
                continue
            try:
                leaks, carries = probed(self.inspection, made, shape)
            except (SingleError, Refused):  # a cache could keep what we do, or is of whole batches
                continue
            model = type(made.module).__name__
            if carries:
                self.inspection.recorder.fact(StateCarriedOver(model=model), self._site)
            if leaks is not None:
                decided = self.inspection.view.mask_site
                if leaks and not (decided[1] or self.inspection.attends):  # the next step shows where
                    self._leaky, self.inspection.attends, self.inspection.wanted = model, True, True
                    return
                self._told = True
                if leaks and not decided[1]:
                    with isolated_import.importable():
                        from mlxprobe.agent.inspectors.models.leaking import innermost
                    sandbox = made.sandbox(self.inspection.nesting)
                    with Quietly(Refused):
                        decided = sandbox.run(innermost, made, sandbox)
                self._tell(decided, leaks, model)
                return

    def finish(self) -> None:
        """Tell of a leak whose place no later look has shown."""
        if self._leaky and not self._told:
            self._tell(call_site.NOWHERE, leaks=True, model=self._leaky)

    def _tell(self, decided: call_site.Site, leaks: bool, model: str) -> None:
        site, seen = call_site.blamed(decided, self._site)
        self.inspection.recorder.fact(CausalityTested(leaks=leaks, model=model, seen=seen), site)


def outputs(output: Any) -> list[Any]:
    """List the arrays of shape (N, L, V) in what a model returns: an array, a tuple, a dict, or an object with some."""
    parts = output if is_array(output) or static.is_a(output, static.CONTAINERS) else static.attributes(output)
    return [one for one in lazy_graph.leaves(parts) if one.ndim == 3]


def probed(inspection: Inspection, made: Made, shape: tuple[int, ...]) -> tuple[bool | None, bool]:
    """Tell whether earlier outputs change with a later id, None where this call cannot tell; and whether with calls."""
    given = [made.args, made.kwargs]
    related = inspection.view.related_ids
    ids = next((one for one in lazy_graph.leaves(given) if is_ids(one, shape) and is_among(one, related)), None)
    if ids is None:
        return None, False
    if inspection.pending(lazy_graph.leaves([made.module, given])) and not inspection.recorder.losses.is_evaluated:
        return None, False
    chosen = rows(ids)
    if not chosen:
        return None, False
    sandbox = made.sandbox(inspection.nesting)
    again: tuple[bool | None, bool] = sandbox.run(compared, Again(sandbox, made, shape, chosen, ids))
    return again


def compared(again: Again) -> tuple[bool | None, bool]:
    """Compare outputs of calls with the ids as they were, and with later ones changed."""
    sandbox, chosen = again.sandbox, again.chosen
    before = again.called(changed=False)
    if not math.isfinite(lazy_graph.largest(before)):
        return None, False
    sandbox.rewind()
    carried = again.called(changed=False)
    sandbox.restart()
    same = lazy_graph.largest(before - again.called(changed=False)) == 0
    sandbox.restart()
    changes = [lazy_graph.per_position(before - again.called(changed=True))]
    if any(static.setting(one, "running_mean") is not None for one in again.made.module.modules()):
        sandbox.restart()  # statistics of the batch join all its places, and are no leak
        changes.append(lazy_graph.per_position(again.apart_in_evaluation()))
    if not same:  # something of one call is there in the next, where we cannot put it back
        return None, True
    found = []
    for change in changes:
        early = max(max(line[:at], default=0.0) for line, (_, at, _) in zip(change, chosen, strict=True))
        late = max(max(line[at:]) for line, (_, at, _) in zip(change, chosen, strict=True))
        found.append(early > LEAK * late if late > 0 else None)
    return None if None in found else all(found), lazy_graph.largest(before - carried) != 0


def is_ids(one: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether an array holds one id for each position of an output of shape (N, L, V)."""
    import mlx.core as mx

    return is_array(one) and len(shape) == 3 and one.shape == shape[:2] and mx.issubdtype(one.dtype, mx.integer)


def is_among(ids: Any, related: list[Any]) -> bool:
    """Tell whether ids are those that the targets are about: an encoder's may reach all of a decoder's outputs."""
    import mlx.core as mx

    return any(one.shape == ids.shape and bool(mx.array_equal(one, ids).item()) for one in related)


def rows(ids: Any) -> list[tuple[int, int, list[int]]]:
    """Choose the rows of most content, each with a place in its middle and the same ids with another there."""
    found = []
    for k, row in enumerate(ids[:CHOSEN_FROM]):
        line = [int(one) for one in lazy_graph.numbers(row)]
        first, last = run(line), len(line) - run(line[::-1])  # more than one at an end may be padding
        at = (first + last) // 2
        taboo = {line[at]} | ({line[0]} if first > 1 else set()) | ({line[-1]} if last < len(line) - 1 else set())
        other = next((one for one in line if one not in taboo), None)
        if at >= ROWS and last - first >= ROWS and other is not None:
            found.append((last - first, k, at, [*line[:at], other, *line[at + 1 :]]))
    return [one[1:] for one in sorted(found, reverse=True)[:ROWS]]


def run(line: list[int]) -> int:
    """Return how many ids at the start of a row are the same."""
    return next((k for k, one in enumerate(line) if one != line[0]), len(line))


class Again(NamedTuple):
    """A call of a module that is made again with some rows of what it was given, perhaps with other ids."""

    sandbox: Sandbox
    made: Made
    shape: tuple[int, ...]
    chosen: list[tuple[int, int, list[int]]]
    ids: Any

    def called(self, *, changed: bool) -> Any:
        """Call it; return its first output's rows."""
        import mlx.core as mx

        ids, (batch, length) = self.ids, self.shape[:2]
        indices = mx.array([k for k, _, _ in self.chosen])
        whole = batch == length  # then rows and positions are indistinguishable

        def part(one: Any) -> Any:
            if one is ids and changed:
                some = mx.array([other for _, _, other in self.chosen], ids.dtype)
                places = mx.broadcast_to(indices[:, None], some.shape)
                return mx.put_along_axis(ids, places, some, axis=0) if whole else some
            has_rows = one.ndim and one.shape[0] == batch and not whole
            return mx.take(one, indices, axis=0) if has_rows else copy.copy(one)

        args, kwargs = doubled([self.made.args, self.made.kwargs], part)
        found = outputs(self.sandbox.call(self.made.function, self.made.module, *args, **kwargs))
        return mx.take(found[0], indices, axis=0) if whole else found[0]

    def apart_in_evaluation(self) -> Any:
        """Return by how much the outputs change with a later id where the module is in evaluation mode."""
        called = []
        for changed in (False, True):
            in_evaluation(self.made.module)
            called.append(self.called(changed=changed))
            self.sandbox.restart()
        return called[0] - called[1]
