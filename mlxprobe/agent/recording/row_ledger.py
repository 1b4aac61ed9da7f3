"""Rows by hashes of all their elements, and which of them gradient calls were given before."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import is_array

ROWS, MOST = 64, 20_000  # of a batch; that are remembered
ELEMENTS, AT_ONCE = 1 << 22, 1 << 18  # of a batch's rows, unless one has more; that are converted at a time


class Entry(NamedTuple):
    """What a row came with first."""

    target: float
    place: int  # in its batch
    before: Hashable  # the row at the place before


class Ledger:
    """The first rows of batches at sampled steps: what each row of a task's inputs came with first."""

    def __init__(self) -> None:
        self.moved = 0  # rows that came again at another place and after another row
        self._first: dict[Hashable, Entry] = {}

    def enter(self, task: Hashable, inputs: list[Any], targets: list[float]) -> list[float | None]:
        """Enter the first rows of evaluated inputs; list the targets that they came with first, None for new rows."""
        before: Hashable = None
        firsts: list[float | None] = []
        count = min(ROWS, *(max(1, ELEMENTS * one.shape[0] // one.size) for one in inputs))
        rows = zip(*(hashes(one[:count]) for one in inputs), strict=True)
        for place, (row, target) in enumerate(zip(rows, targets, strict=False)):
            key = task, row
            known = self._first.get(key)
            if known is not None:
                self.moved += place != known.place and before != known.before
            elif len(self._first) < MOST:
                self._first[key] = Entry(target, place, before)
            firsts.append(None if known is None else known.target)
            before = row
        return firsts


def hashes(array: Any) -> Iterator[int]:
    """Hash each row of an evaluated array of MLX or NumPy: equal numbers have one hash, whatever their type."""
    import struct  # for a look alone

    import mlx.core as mx

    count = int(array.shape[0]) if array.size else 0
    some = max(1, AT_ONCE * count // max(1, array.size))
    for at in range(0, count, some):
        part = array[at : at + some]
        rows = (part if is_array(part) else mx.array(part)).reshape(part.shape[0], -1).astype(mx.float32)
        rows = rows + 0.0  # -0.0 is the same number as 0.0
        lazy_graph.evaluate([rows])
        yield from map(hash, struct.iter_unpack(f"{rows.nbytes // part.shape[0]}s", memoryview(rows).tobytes()))
