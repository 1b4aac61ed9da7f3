"""Whether rows that come again bring their targets with them."""

from __future__ import annotations

import math
from collections import Counter
from types import FunctionType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import unique
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.row_ledger import ROWS
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.data import TargetsTorn
from mlxprobe.protocol.facts.losses import Supervision

NUMBERS, IDS = 4, 8  # of a row, by which it is known again
CLASSES = 32
LOOKS = 200
# Rows that came again are drawn from one of two binomials. Shuffled apart, each has its first target with the chance p
# that any two targets are the same: two standard deviations above that leave out one such program in fifty. Where
# targets belong to their rows, be it that half of them are drawn anew each time, it is p + (1 - p) / 2: what is told
# must be so few that this gives it once in a thousand (3.1 standard deviations). Of two equal classes that takes some
# 30 rows to be possible, and 90 to be the rule; of ten, 30 are the rule. Below ENOUGH neither is nearly normal.
DOUBT, SURE = 2.0, 3.1
BELONG = 0.5  # of the targets, at least
ENOUGH = 20
Task = tuple[int, tuple[Any, ...]]  # a model's stream of losses, and what the loss function was made with


class Path:
    """The targets of one task, compared with those that their rows had first."""

    def __init__(self) -> None:
        self.targets: Counter[float] = Counter()
        self.again = self.same = 0  # rows that came again, and those with their first target
        self.pairs = self.agree = 0  # rows of one look that had one target at first, and have one again

    def take(self, firsts: list[float | None], targets: list[float]) -> None:
        """Take in the targets of one look; of a row that comes again the first one is known."""
        self.targets.update(targets)
        again = [(before, now) for before, now in zip(firsts, targets, strict=False) if before is not None]
        self.again += len(again)
        self.same += sum(before == now for before, now in again)
        for first, members in Counter(before for before, _ in again).items():
            self.pairs += members * (members - 1) // 2
            now = Counter(target for before, target in again if before == first)
            self.agree += sum(count * (count - 1) // 2 for count in now.values())

    def is_renamed(self) -> bool:
        """Tell whether rows that had one target have one again, another: a clustering that is made anew."""
        chance = self.chance()
        return self.agree > chance * self.pairs + SURE * math.sqrt(chance * (1 - chance) * max(self.pairs, 1))

    def chance(self) -> float:
        """Return how often two targets are the same that have nothing to do with each other."""
        read = self.targets.total()
        return sum((count / read) ** 2 for count in self.targets.values())

    def is_torn(self) -> bool:
        """Tell whether rows that came again had the same target no more often than by chance."""
        chance = self.chance()
        most, spread = self._expected(chance)
        fewest, other = self._expected(chance + BELONG * (1 - chance))
        return (
            self.again >= ENOUGH
            and not self.is_renamed()
            and self.same <= min(most + DOUBT * spread, fewest - SURE * other)
        )

    def _expected(self, rate: float) -> tuple[float, float]:
        """Return how many of the rows that came again have their first target at a rate, and the standard deviation."""
        return rate * self.again, (max(rate * (1 - rate), 0.0) * self.again) ** 0.5


class Pairs(Inspector):
    """Enter the rows of gradient calls in the ledger, and see which targets they had before."""

    emits = (Supervision, TargetsTorn)
    builds_on = ("Losses",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: tuple[Task, list[Any], Any, tuple[str, int]] | None = None
        self._seen: tuple[int, list[Any]] = 0, []  # updates, and the inputs that were looked at last
        self._paths: dict[Task, Path] = {}
        self._site = ("", 0)
        self._looks = 0

    def called(self, call: Call) -> None:
        compared = self.inspection.view.compared
        self._held = None
        if self._looks >= LOOKS or self.inspection.inside or len(compared) != 1:
            return
        stream, target = compared[0]
        rows = target.shape[0] if target.ndim and target.size == target.shape[0] else 0
        inputs = [one for _, one in unique(call.data) if one is not target]
        if rows > 1 and inputs and all(tells(one, rows) for one in inputs) and not self._has_just_seen(inputs):
            self._held = (stream, constants(call.function)), inputs, target, call.site

    def _has_just_seen(self, inputs: list[Any]) -> bool:
        """Tell whether these very arrays are given again before anything is updated: with other targets on purpose."""
        updates, seen = self._seen
        self._seen = self.inspection.recorder.updates, [bound.ref(one) for one in inputs]
        same = len(seen) == len(inputs) and all(known() is one for known, one in zip(seen, inputs, strict=True))
        return same and updates == self._seen[0]

    def forget(self) -> None:
        self._held = None

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        if held is None or self.inspection.pending([*held[1], held[2]]):
            return
        self._looks += 1
        task, inputs, target, self._site = held
        targets = lazy_graph.numbers(target.reshape(-1)[:ROWS])
        self._paths.setdefault(task, Path()).take(self.inspection.rows.enter(task, inputs, targets), targets)

    def finish(self) -> None:
        recorder = self.inspection.recorder
        for (stream, _), path in self._paths.items():
            if 1 < len(path.targets) <= CLASSES and path.is_torn():
                torn = TargetsTorn(again=path.again, same=path.same, chance=path.chance(), stream=stream)
                recorder.revise(torn, self._site)
            elif path.again >= ENOUGH and path.same < BELONG * path.again and path.is_renamed():
                recorder.revise(Supervision(stream=stream, supervised=False), self._site)  # its loss need not fall


def constants(function: Any) -> tuple[Any, ...]:
    """Return numbers and words that a function was made with: of several tasks each has a loss of its own."""
    if type(function) is not FunctionType:
        return ()
    cells = [cell.cell_contents for cell in function.__closure__ or () if static.is_filled(cell)]
    return tuple(one for one in (*(function.__defaults__ or ()), *cells) if static.is_a(one, (int, str)))


def tells(one: Any, rows: int) -> bool:
    """Tell whether an input has a row for each target, of enough numbers to know it again."""
    import mlx.core as mx

    each = one.size // rows if one.ndim > 1 and one.shape[0] == rows else 0
    return bool(each >= (IDS if mx.issubdtype(one.dtype, mx.integer) else NUMBERS))
