"""Rows by hashes of all their elements, and which of them gradient calls were given before."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import is_array

ROWS = 64  # of a batch
MOST = 20_000  # rows that are remembered


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
        rows = zip(*(hashes(one[:ROWS]) for one in inputs), strict=True)
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

    if not array.size:
        return iter(())
    given = array if is_array(array) else mx.array(array)
    rows = given.reshape(given.shape[0], -1).astype(mx.float32) + 0.0  # no -0.0
    lazy_graph.evaluate([rows])
    return map(hash, struct.iter_unpack(f"{rows.nbytes // rows.shape[0]}s", memoryview(rows).tobytes()))
