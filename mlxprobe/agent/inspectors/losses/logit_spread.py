"""How far the logits of a cross-entropy lie apart, in a row and from row to row: next to nothing says nothing."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.losses import LogitsAlike, LogitsNarrow

CLASSES, NARROW = 8, 0.3  # fewer may be hard to tell apart; the widest row of a batch, from its lowest to its highest
LOOKS, STEPS = 5, 200
LARGE = 1 << 22  # elements
ROWS, SAME, ROUNDING = 16, 0.02, 1e-4  # of several classes; deviations of logits from row to row
IN_TIME = 1 / 2  # of the updates: one of the steps 1, 2, 4, … lies in the second half
TAUGHT, LATE, LONG = 50, 2, 100  # steps, looks after these, and steps before the last of them


class Bands(Inspector):
    """Read the widest row of logits at each look; one that is wider, and it is over."""

    emits = (LogitsAlike, LogitsNarrow)
    observes = (Observe("mlx.nn.losses.cross_entropy", "_compares", needs=SAMPLED | GRADIENT, never=OURS | TRACE),)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[Any, Any, tuple[str, int]]] = []
        self._spreads: dict[tuple[str, int], list[tuple[int, float]]] = {}  # by steps, from row to row
        self._widths: dict[tuple[str, int], list[tuple[int, float]]] = {}  # by steps, of the widest row
        self._classes = 0

    def _compares(self, event: CallEvent) -> None:
        logits = event["logits"]
        if not self._held and len(static.shape(logits)) == 2 and logits.shape[1] > 1 and logits.size <= LARGE:
            self._held.append((logits, event["targets"], call_site.calling()))

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        import mlx.core as mx

        held = self._held
        self.forget()
        for logits, targets, site in held:
            widths, spreads = self._widths.setdefault(site, []), self._spreads.setdefault(site, [])
            narrow = logits.shape[1] >= CLASSES and not (widths and widths[-1][1] > NARROW)
            alike = not (step >= TAUGHT and spreads and spreads[-1][1] > SAME) and tells(targets, logits)
            if not (narrow or alike) or self.inspection.pending([logits, targets]):
                continue
            self._classes = int(logits.shape[1])
            if narrow:
                widths.append((step, lazy_graph.number(mx.max(mx.max(logits, axis=1) - mx.min(logits, axis=1)))))
            if alike and len(set(lazy_graph.numbers(targets))) > 1:
                spreads.append((step, lazy_graph.number(mx.mean(mx.std(logits.astype(mx.float32), axis=0)))))

    def finish(self) -> None:
        """Tell of both, where a look has come late in the run: nothing is known of what came after the last one."""
        updates = self.inspection.recorder.updates
        for site, widths in self._widths.items() if updates >= STEPS else ():
            widest = max(width for _, width in widths) if widths else 0.0
            if len(widths) >= LOOKS and 0 < widest <= NARROW and widths[-1][0] >= IN_TIME * updates:
                told = LogitsNarrow(
                    width=widest, looks=len(widths), classes=self._classes, updates=updates, last=widths[-1][0]
                )
                self.inspection.recorder.fact(told, site)
        for site, spreads in self._spreads.items():
            late = [spread for step, spread in spreads if step >= TAUGHT]
            rises = bool(late) and late[-1] > max(1.5 * late[0], ROUNDING)  # whoever begins at zero may only be slow
            ends = spreads[-1][0] if spreads else 0
            if len(late) >= LATE and ends >= max(LONG, IN_TIME * updates) and max(late) <= SAME and not rises:
                self.inspection.recorder.fact(LogitsAlike(spread=late[-1], looks=len(late), updates=updates), site)


def tells(targets: Any, logits: Any) -> bool:
    """Tell whether there is one class for each of enough rows of logits."""
    return bool(static.shape(targets) == logits.shape[:1] and ROWS <= targets.size <= LARGE >> 8)
