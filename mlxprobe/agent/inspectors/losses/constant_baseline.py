"""What a constant knows of the targets, and what the model has gained on it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount

ROWS_OF_A_CLASS = 8
MOST_TARGETS, COLUMNS = 4096, 256  # values that are read of a batch's targets, and columns of them
ENOUGH_LOOKS = 3


class Targets:
    """All targets that were read of one stream of losses: ids, or columns of numbers."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counts: Counter[float] = Counter()
        self.sums: list[float] = []
        self.squares: list[float] = []
        self.read = self.batches = 0
        self.whole = True  # of numbers: whether they all are whole ones by their type
        self.alone: list[float] = []  # the class of each batch of one class alone, or of one after another
        self._batches: list[tuple[float, list[list[float]]]] = []  # losses, and columns of the targets they are of

    def add(self, target: Any, loss: float | None) -> None:
        """Take in the targets of one batch, or the first of them, and the loss of that batch where it is known."""
        known = loss if loss is not None and math.isfinite(loss) and target.size <= MOST_TARGETS else None
        if self.kind == "square":
            self.whole = self.whole and not is_amount(target)
            self._add_columns(target, known)
        else:
            values = lazy_graph.numbers(target.reshape(-1)[:MOST_TARGETS])
            self._batches += [] if known is None else [(known, [values])]
            self.counts.update(values)
            self.batches += 1
            self.alone += values[:1] if is_sorted(values) else []
            self.read += len(values)

    def _add_columns(self, target: Any, loss: float | None) -> None:
        wide = target.ndim > 1
        columns = int(target.size // target.shape[0]) if wide else 1
        rows = lazy_graph.rows(target.reshape(-1, columns)[: MOST_TARGETS // columns]) if columns <= COLUMNS else []
        if rows and len(self.sums) in (0, columns):
            by_column = list(zip(*rows, strict=True))
            before = list(zip(self.sums, self.squares, strict=True)) or [(0.0, 0.0)] * columns
            self.sums = [old + sum(new) for (old, _), new in zip(before, by_column, strict=True)]
            self.squares = [old + sum(x * x for x in new) for (_, old), new in zip(before, by_column, strict=True)]
            self.read += len(rows)
            self._batches += [] if loss is None else [(loss, [list(one) for one in by_column])]

    def gain(self) -> tuple[float, float]:
        """Return by how much losses were lower than the best constant's on the very same batches, and the error of it.

        Of the later half of the looks, for a model learns; nothing for sure where those are too few.
        """
        later = self._batches[len(self._batches) // 2 :]
        if len(later) < ENOUGH_LOOKS:
            return 0.0, 0.0
        gains = [self._constant(columns) - loss for loss, columns in later]
        mean, count = sum(gains) / len(gains), len(gains)
        if not math.isfinite(mean):  # so are targets that are not
            return 0.0, 0.0
        return mean, math.sqrt(sum((one - mean) ** 2 for one in gains) / (count - 1) / count)

    def _constant(self, columns: list[list[float]]) -> float:
        """Return the loss of one batch under the constant that is best for all."""
        if self.kind == "square":
            means = [total / self.read for total in self.sums]
            squares = [(one - mean) ** 2 for mean, column in zip(means, columns, strict=True) for one in column]
            return sum(squares) / len(squares)
        return -sum(math.log(self.counts[one] / self.read) for one in columns[0]) / len(columns[0])

    def returns(self) -> bool:
        """Tell whether a class came again after others: one batch after another holds one class, and it goes round."""
        changes = [one for one, last in zip(self.alone, [math.nan, *self.alone], strict=False) if one != last]
        return len(set(changes)) < len(changes)

    def unseen(self) -> float:
        """Estimate the share of targets whose class was not read: that of the classes read once (Good and Turing)."""
        return sum(count == 1 for count in self.counts.values()) / max(1, self.read)

    def level(self) -> tuple[float, float]:
        """Return the loss of the best constant, and how far it may be off by chance (a standard deviation)."""
        if self.kind == "square":
            variances = [
                max(0.0, b / self.read - (a / self.read) ** 2) for a, b in zip(self.sums, self.squares, strict=True)
            ]
            level = sum(variances) / max(1, len(variances))
            return level, level * math.sqrt(2 / max(1, self.read))
        shares = [count / self.read for count in self.counts.values()]
        level = -sum(share * math.log(share) for share in shares)
        spread = math.sqrt(max(0.0, sum(share * math.log(share) ** 2 for share in shares) - level**2) / self.read)
        return level + (len(shares) - 1) / (2 * self.read), spread


def is_sorted(values: list[float]) -> bool:
    """Tell whether targets are of one class, or all those of one before all those of another."""
    changes = sum(one != other for one, other in itertools.pairwise(values))
    return len(values) >= ROWS_OF_A_CLASS and changes <= 1
