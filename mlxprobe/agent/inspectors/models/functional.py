"""Whether the loss of a next-token model of plain functions sees the future: called anew with a later id changed."""

from __future__ import annotations

import copy
from types import CodeType, FrameType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.data.token_ids import is_ids, relation
from mlxprobe.agent.inspectors.models.causality import LEAK, rows
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.trees import SingleError, doubled, is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Quietly
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.replay.sandbox import Refused, Sandbox, Watch
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.data import TargetsFollowInputs
from mlxprobe.protocol.facts.models import CausalityTested, LossNotRepeated

TRIES = 4
RETURNS = 256
SEQUENCE = 3  # axes: rows, places, channels

Chosen = list[tuple[int, int, list[int]]]  # rows, each with a place and its ids with another there
Returned = tuple[call_site.Site, Any, list[Any]]  # a line that returned, what, and what its function was given


class Functional(Inspector):
    """Call a loss function of no model anew, as a gradient call has called it, right after that."""

    emits = (CausalityTested, LossNotRepeated, TargetsFollowInputs)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._tries = 0
        self._told = False

    def called(self, call: Call) -> None:
        seen = self.inspection
        if self._told or call.model is not None or call.given is None or seen.nesting.talks or self._tries >= TRIES:
            return
        every = [one for one in lazy_graph.leaves(call.data) if is_ids(one) and one.ndim == 2 and one.shape[1] > 2]
        if not every or (seen.pending(lazy_graph.leaves(call.parameters)) and not seen.recorder.losses.is_evaluated):
            return
        self._tries += 1
        again = Again(seen, call)
        with Quietly(Refused, SingleError, ValueError, IndexError, RuntimeError, TypeError):
            for ids in every:
                if (found := again.sandbox.run(again.probed, ids)) is not None:
                    self._tell(call, *found)
                    return
        if again.why and self._tries in (1, TRIES):
            seen.recorder.fact(LossNotRepeated(why=again.why), call.site)

    def _tell(self, call: Call, leaks: bool, decided: call_site.Site) -> None:
        self._told = True
        recorder = self.inspection.recorder
        site, at = call_site.blamed(decided, call.site)
        recorder.fact(TargetsFollowInputs(), call.site)
        recorder.fact(
            CausalityTested(
                leaks=leaks, model=call.code.co_name if static.is_a(call.code, CodeType) else "the loss", seen=at
            ),
            site,
        )


class Again:
    """One gradient call's function, with what it was given."""

    def __init__(self, seen: Inspection, call: Call) -> None:
        self._seen = seen
        self._function, self._given = call.function, list(call.given or ())
        self._parameters = {id(one) for one in lazy_graph.leaves(call.parameters)}
        self.sandbox = Sandbox(seen.nesting)
        self.why = ""  # it was not called

    def probed(self, ids: Any) -> tuple[bool, call_site.Site] | None:
        """Tell whether earlier outputs change with a later id, and where; None where this cannot tell."""
        chosen = rows(ids)
        if not chosen:
            return None
        try:
            (first, before), (_, again), (other, after) = (
                self._run(ids, chosen, changed=one) for one in (False, False, True)
            )
        except Refused:
            found = self.sandbox.effects.found
            self.why = f"a second call could show: the loss {found}" if found else ""
            raise
        picked = self._picked(ids, chosen, before, again, after)
        if picked is None:
            return None
        leaks = self._ahead(picked[0] - picked[1], chosen)
        if leaks and self._summed_up(first, other, picked[0].shape):
            return None
        return None if leaks is None else (leaks, self._innermost(first, other, chosen) if leaks else call_site.NOWHERE)

    def _summed_up(self, first: list[Returned], other: list[Returned], shape: tuple[int, ...]) -> bool:
        """Tell whether a function makes one vector of each row, as an encoder does whose decoder is given it."""
        for (_, made, _), (_, after, _) in zip(first, other, strict=False):
            is_one = made.ndim == 2 and made.shape == after.shape and made.shape[0] == shape[0]
            is_one = is_one and made.shape[1] not in (shape[1], shape[1] + 1) and "float" in str(made.dtype)
            if is_one and lazy_graph.largest(made - after) > 0:
                self.why = "the loss makes one vector of each row, which its outputs may be given on purpose"
                return True
        return False

    def _picked(self, ids: Any, chosen: Chosen, *runs: list[tuple[Any, Any]]) -> tuple[Any, Any] | None:
        """Return the outputs that ids which follow are picked from, with the ids as they were and with others."""
        import mlx.core as mx

        mine = mx.take(ids, mx.array([k for k, _, _ in chosen]), axis=0)
        for first, again, other in zip(*runs, strict=True):
            lengths = [n for n in (ids.shape[1], ids.shape[1] - 1) if first[1].size == n * len(chosen)]
            if not lengths or relation(mine, first[1]) != "next":
                continue
            made = [one[0].reshape(len(chosen), lengths[0], -1) for one in (first, again, other)]
            return (made[0], made[2]) if lazy_graph.largest(made[0] - made[1]) == 0 else None
        return None

    @staticmethod
    def _ahead(change: Any, chosen: Chosen) -> bool | None:
        early, late = 0.0, 0.0
        for line, (_, at, _) in zip(lazy_graph.per_position(change), chosen, strict=True):
            early, late = max(early, *line[:at]), max(late, *line[at:])
        return early > LEAK * late if late > 0 else None

    def _run(self, ids: Any, chosen: Chosen, *, changed: bool) -> tuple[list[Returned], list[tuple[Any, Any]]]:
        """Call the function with some rows; return what its functions returned, and what was picked from what."""
        import mlx.core as mx

        indices, batch = mx.array([k for k, _, _ in chosen]), ids.shape[0]

        def part(one: Any) -> Any:
            if one is ids and changed:
                return mx.array([other for _, _, other in chosen], ids.dtype)
            has_rows = one.ndim and one.shape[0] == batch and id(one) not in self._parameters
            return mx.take(one, indices, axis=0) if has_rows else copy.copy(one)

        args, kwargs = doubled(self._given, part)
        seen, returned = self._seen, list[Returned]()
        seen.picked, seen.nesting.depth = [], seen.nesting.depth + 1
        try:
            self.sandbox.call(self._function, *args, watch=noting(returned), **kwargs)
            return returned, seen.picked
        finally:
            seen.picked, seen.nesting.depth = None, seen.nesting.depth - 1
            self.sandbox.restart()

    def _innermost(self, first: list[Returned], other: list[Returned], chosen: Chosen) -> call_site.Site:
        """Return the line of the first function that returned what looks ahead, of inputs that did not."""
        if [site for site, _, _ in first] != [site for site, _, _ in other]:
            return call_site.NOWHERE
        for (site, made, given), (_, after, changed) in zip(first, other, strict=True):
            pairs = [(one, two) for one, two in zip(given, changed, strict=True) if one.shape == made.shape]
            fits = (
                made.shape == after.shape
                and made.ndim == SEQUENCE
                and made.shape[0] == len(chosen)
                and made.shape[1] > chosen[0][1]
            )
            if fits and self._ahead(made - after, chosen) and not any(self._ahead(a - b, chosen) for a, b in pairs):
                return site
        return call_site.NOWHERE


def noting(returned: list[Returned]) -> Watch:
    """Return what notes the sequences that the user's own functions return."""
    given: dict[int, list[Any]] = {}

    def follow(frame: FrameType, event: str, result: Any) -> None:
        code = frame.f_code
        if event == "call" and call_site.whose(code.co_filename) == OWN:
            given[id(frame)] = [one for one in call_site.variables(frame).values() if is_sequence(one)]
        elif event == "return":
            mine = given.pop(id(frame), None)
            for one in result if isinstance(result, tuple) else (result,):
                if mine is not None and is_array(one) and one.ndim in (2, SEQUENCE) and len(returned) < RETURNS:
                    returned.append(((code.co_filename, frame.f_lineno), one, mine))

    return follow


def is_sequence(one: Any) -> bool:
    """Tell whether something has channels for each place of each row."""
    return is_array(one) and one.ndim == SEQUENCE
