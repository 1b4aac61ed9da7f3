"""How much a gradient call is given, from step to step, and whether what it was given before is in it again."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording import row_lookup, source_arrays
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.row_ledger import hashes
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.data import InputGrows

ENOUGH = 5  # looks, each with more than the one before
FACTOR = 3
PASSES = 8  # over the same rows
ROWS = COLUMNS = 12  # of an array, that are compared
DISTINCT = 4  # rows: episodes may begin alike, and then rest


class Sizes(Inspector):
    """Follow the number of elements, and of rows, among a gradient call's data.

    A buffer that is kept begins, or ends, with the rows that it had at the last look; what is drawn anew does not.
    """

    emits = (InputGrows,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._first = self._last = (0, 0)  # elements, rows
        self._rises = self._least = 0  # the latter in elements
        self._began = self._calls = 0  # gradient calls
        self._rests = False  # whether two looks have met the same size
        self._held: tuple[list[Any], tuple[str, int]] | None = None  # the largest arrays of a step's first call
        self._shape: tuple[int, ...] = ()
        self._before: list[list[int]] = []  # hashes of some of their rows at the last look
        self._kept = 0  # looks in a row that found those again
        self._built = call_site.NOWHERE  # where what grows is made longer
        self._is_part = False  # whether the program has held longer rows than those that it gave

    def called(self, call: Call) -> None:
        if arrays := lazy_graph.leaves(call.data):
            self._compare(arrays, call.site)
            if self._rises == ENOUGH - 1:
                self._built = self._grown(call)

    def _grown(self, call: Call) -> tuple[str, int]:
        """Return the line that builds the longest array of a call's data."""
        with isolated_import.importable():
            from mlxprobe.agent.recording import value_provenance

        pairs = [(one.size, path) for path, one in lazy_graph.named_leaves(call.data)]
        return value_provenance.datum(call, max(pairs)[1])

    def given(self, args: Any) -> None:
        if arrays := lazy_graph.leaves([one for one in args if not static.is_module(one)]):
            self._compare(arrays, call_site.calling())

    def _compare(self, arrays: list[Any], site: tuple[str, int]) -> None:
        """Compare with the last look; one that has less begins anew."""
        now = sum(one.size for one in arrays), max((one.shape[0] for one in arrays if one.ndim), default=0)
        gradients = self.inspection.recorder.gradients
        if now[0] > self._last[0] > 0:
            self._rises += 1
            self._least = min(now[0] - self._last[0], self._least or now[0])
        elif now[0] == self._last[0]:
            self._rests = True
        else:
            self._first, self._rises, self._kept, self._began = now, 0, 0, gradients
            self._least, self._rests = 0, False
        self._last, self._calls = now, gradients
        if self._held is None:
            largest = max((one.size for one in arrays if one.ndim and one.shape[0] == now[1]), default=0)
            given = [one for one in arrays if one.ndim and one.size == largest and one.shape[0] == now[1]]
            self._held = given, site
            self._is_part |= self._rises >= ENOUGH - 1 and any(is_part(one) for one in given[:1])

    def look(self, step: int) -> None:
        """See whether the rows of the last look are there again, once the program has evaluated them."""
        held, self._held = self._held, None
        if held is None:
            return
        arrays, site = held
        if arrays and tuple(arrays[0].shape) == self._shape and self._before:
            return  # several passes over the same rows
        if arrays and not self.inspection.inside and not self.inspection.pending(arrays):
            if all(len({*each}) >= DISTINCT for each in self._before):
                self._kept = self._kept + 1 if self._are_kept(arrays) else 0
            self._shape = tuple(arrays[0].shape)
            self._before = [some(one, self._shape[0], 0) for one in arrays]
        else:
            self._kept, self._before = 0, []
        if self._rises >= ENOUGH and self._last[0] >= FACTOR * self._first[0] and self._is_steady():
            known = {"first": self._first[1], "last": self._last[1], "looks": self._rises}
            kept = self._kept >= ENOUGH and not (self._first[1] == self._last[1] and self._is_part)
            place, seen = call_site.blamed(self._built, site)
            self.inspection.recorder.revise(InputGrows(kept=kept, seen=seen, **known), place)

    def _is_steady(self) -> bool:
        """Tell whether it grows at each call, or every few; what is trained for long on each size is meant to grow."""
        times = (self._last[0] - self._first[0]) / max(1, self._least)
        return not self._rests or self._calls - self._began <= PASSES * times

    def _are_kept(self, arrays: list[Any]) -> bool:
        """Tell whether all begin, or all end, with what they were at the last look, and have more than that.

        That is more rows, or as many that are longer.
        """
        before, was, now = self._before, self._shape, arrays[0].shape
        if len(before) != len(arrays) or not was or len(was) != len(now):
            return False
        rows, more = was[0], now[0] - was[0]
        if more > 0:
            return any([some(one, rows, start) for one in arrays] == before for start in (0, more))
        longer = now[1] - was[1] if len(now) > 1 and not more and all(one.ndim > 1 for one in arrays) else 0
        starts = (0, longer) if longer > 0 else ()
        return any([some(one[:, at : at + was[1]], rows, 0) for one in arrays] == before for at in starts)


def is_part(array: Any) -> bool:
    """Tell whether the program holds an array with as many rows that are longer: these may grow up to its end."""
    shape = tuple(array.shape)
    others = (tuple(one.shape) for _, one in source_arrays.held())
    return any(o[:1] + o[2:] == shape[:1] + shape[2:] and o[1] > shape[1] for o in others if len(o) == len(shape) > 1)


def some(array: Any, rows: int, start: int) -> list[int]:
    """Hash a sample of the first rows of an evaluated array, by a sample of their values."""
    return [*hashes(row_lookup.keys(array[start : start + rows][:: -(-rows // ROWS)], COLUMNS))]
