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
KEPT_BY = {"kept": "kept by the program", "traced": "by traces of compiled functions", "pending": "by a pending graph"}
MOST_STEPS = 100_000  # of a run that lasts
SEEN_SHARE = 0.01  # of the way to the limit, that the growth is to have gone on


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


@finding("MP114", "buffer-count", Severity.WARNING)
def buffer_count(seen: Observation) -> Iterator[Finding]:
    """Arrays with data of their own become more at every step, whatever their size: Metal holds 499,000 and no more.

    MLX ends a run there with `[metal::malloc] Resource limit (499000) exceeded`, while memory looks flat. What counts
    is what the program keeps, what the traces of its compiled functions keep (each new length is a trace, with all
    numbers and tables in it), and what a pending graph keeps. Elsewhere nothing fails; it is told at which step a Mac
    would stop. Where neither a learning rate schedule nor the run so far lasts that long, this is a note.

    Example: `plans[length] = [mx.array(k) for k in chunks]` for each length, and a compiled step that sees them all.

    Use instead: pad to few lengths; keep numbers and NumPy arrays; make constants once, outside of what is compiled.
    """
    for fact in [one for one in seen.facts if one.name == "buffers"][-1:]:
        of = {name: float(str(figure)) for name, figure in fact.detail.items() if name != "metal"}
        growth = {name: of[f"{name}_per_step"] for name in KEPT_BY}
        now, each, step = sum(of[name] for name in KEPT_BY), sum(growth.values()), max(fact.step, 1)
        if each <= 0 or now >= of["limit"]:
            continue
        end = step + (of["limit"] - now) / each
        bounded = growth["traced"] > each / 2 and 0 < of["most_traced"] + now - of["traced"] < of["limit"]
        if bounded or end > MOST_STEPS or step < max(MANY_STEPS, SEEN_SHARE * end):
            continue
        parts = ", ".join(f"{rise:.3g} {KEPT_BY[name]}" for name, rise in growth.items() if rise)
        where = "this run ends" if fact.detail["metal"] else "on a Mac this run would end"
        message = f"{each:.3g} arrays more at every step ({parts}): {where} near step {end:,.0f}, at {of['limit']:,.0f}"
        lasts = max([step, *(one.span for one in seen.sheet.optimizers)]) >= end
        evidence = {
            "arrays": now,
            "per_step": each,
            "traced_per_step": growth["traced"],
            "steps": step,
            "ends_at_step": round(end),
        }
        severity = Severity.WARNING if lasts else Severity.NOTE
        yield rule("MP114").at(message, fact.file, fact.line, severity=severity, **evidence)
