"""Findings about memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from mlxprobe.diagnosis.evaluation import GROWING
from mlxprobe.diagnosis.registry import facts, finding, place, rule
from mlxprobe.measures import pending_slope, steps_done
from mlxprobe.model import Finding, Observation
from mlxprobe.vocabulary import Severity

ENOUGH_STEPS = 16
GROWTH_BYTES = 100_000
GROWTH_SHARE = 0.1


@finding("MP103", "memory-growth", Severity.WARNING)
def memory_growth(seen: Observation) -> Iterator[Finding]:
    """Memory grows steadily although the update is evaluated.

    Something keeps every step's arrays alive: a list of losses, of outputs, of batches.

    Example: `history.append(logits)`.

    Use instead: keep Python numbers (`loss.item()`), or drop what is no longer needed.
    """
    active = [step.active_bytes for step in seen.steps if step.active_bytes]
    if len(active) < ENOUGH_STEPS or pending_slope(seen) >= GROWING:
        return
    part = len(active) // 4
    floors = [min(active[k * part : (k + 1) * part]) for k in range(4)]  # between: what a step needs comes and goes
    rises = [later - earlier for earlier, later in itertools.pairwise(floors[1:])]
    if min(rises) > max(GROWTH_BYTES, GROWTH_SHARE * floors[0]):
        per_step = 2 * sum(rises) / steps_done(seen)
        message = f"the memory of MLX's arrays grows by about {per_step / 1e6:.2f} MB a step, to the end"
        kept = list(facts(seen, "container grows"))
        if kept:
            message += f"; {kept[0].detail['variable']} grows with it, to {kept[0].detail['arrays']} arrays"
        site = (kept[0].file, kept[0].line) if kept else place(seen, "first update")
        yield rule("MP103").at(message, *site, bytes_per_step=per_step)
