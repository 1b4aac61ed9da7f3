"""Findings about memory."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator

from mlxprobe.diagnosis.evaluation import GROWING
from mlxprobe.diagnosis.registry import finding, rule
from mlxprobe.measures import pending_slope
from mlxprobe.model import Finding, Observation
from mlxprobe.vocabulary import Severity

ENOUGH_SAMPLES = 12
GROWTH_BYTES = 32_000_000


@finding("MP103", "memory-growth", Severity.WARNING)
def memory_growth(seen: Observation) -> Iterator[Finding]:
    """Memory grows steadily although the update is evaluated.

    Something keeps every step's arrays alive: a list of losses, of outputs, of batches.

    Example: `history.append(logits)`.

    Use instead: keep Python numbers (`loss.item()`), or drop what is no longer needed.
    """
    resident = [sample.rss_bytes for sample in seen.samples if sample.t_s >= seen.begun_s]
    if len(resident) < ENOUGH_SAMPLES or len(seen.steps) < ENOUGH_SAMPLES or pending_slope(seen) >= GROWING:
        return
    part = len(resident) // 4
    quarters = [statistics.median(resident[k * part : (k + 1) * part]) for k in range(4)]
    rises = [later - earlier for earlier, later in itertools.pairwise(quarters[1:])]
    if min(rises) > GROWTH_BYTES / 4 and sum(rises) > GROWTH_BYTES / 2:
        per_step = 2 * sum(rises) / len(seen.steps)
        message = f"resident memory grows by about {per_step / 1e6:.2f} MB a step, to the end"
        yield rule("MP103").at(message, bytes_per_step=per_step)
