"""Findings about memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from mlxprobe.diagnosis.evaluation import GROWING
from mlxprobe.diagnosis.registry import facts, finding, place, rule
from mlxprobe.values.measures import active_floors, growth_per_step, pending_slope
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

ENOUGH_STEPS = 16
MANY_STEPS = 32
GROWTH_BYTES = 100_000
GROWTH_SHARE = 0.1


@finding("MP103", "memory-growth", Severity.WARNING)
def memory_growth(seen: Observation) -> Iterator[Finding]:
    """Memory grows steadily although the update is evaluated.

    Something keeps every step's arrays alive: a list of losses, of outputs, of batches.

    Example: `history.append(logits)`.

    Use instead: keep Python numbers (`loss.item()`), or drop what is no longer needed.
    """
    parts = 8 if len(seen.steps) >= MANY_STEPS else 4
    floors = active_floors(seen, parts)
    if len(seen.steps) < ENOUGH_STEPS or not floors or pending_slope(seen) >= GROWING:
        return
    rises = [later - earlier for earlier, later in itertools.pairwise(floors[parts // 4 :])]  # a jump is none
    if min(rises) > max(GROWTH_BYTES, GROWTH_SHARE * floors[0]) * 4 / parts:
        per_step = growth_per_step(seen)
        message = f"the memory of MLX's arrays grows by about {per_step / 1e6:.2f} MB a step, to the end"
        kept = list(facts(seen, "container grows"))
        if kept:
            message += f"; {kept[0].detail['variable']} grows with it, to {kept[0].detail['arrays']} arrays"
        file, line = (kept[0].file, kept[0].line) if kept else place(seen, "first update")
        evidence = {"bytes_per_step": per_step} | ({"arrays": float(str(kept[0].detail["arrays"]))} if kept else {})
        yield rule("MP103").at(message, file, line, severity=Severity.WARNING, **evidence)
