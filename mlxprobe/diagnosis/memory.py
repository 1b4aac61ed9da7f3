"""Findings about memory."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator

from mlxprobe.diagnosis.evaluation import GROWING, evaluates
from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.protocol.facts.memory import BuffersHeld, CacheUnbounded, ContainerGrows
from mlxprobe.protocol.facts.updates import FirstUpdate
from mlxprobe.rules.registry import finding, place, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import active_floors, growth_per_step, megabytes, pending_slope
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_STEPS = 16
MANY_STEPS = 32
GROWTH_BYTES = 100_000
GROWTH_SHARE = 0.1
EACH_BYTES = 1000  # a step: what is kept now and then is no leak
PARTS, LATER, BEFORE = 8, 3, 1  # parts of a run: the end of its first half, and of its first quarter
CACHE_STEPS = 64  # fewer lengths than these are buckets that have not come back so far
STEADY = 0.5  # of the growth before: what is kept now and then fits
PADDED = 8  # lengths that differ by multiples of this are padded, and come back
HOST_BYTES = 64e6  # that a process grows by beside MLX, in the later half of its steps
CACHE_BYTES = 64e6  # the CPU's cache holds half as much at the most, unless it is told otherwise
NOTED, WARNED = 2, 4  # times the peak
KEPT_BY = {"kept": "kept by the program", "traced": "by traces of compiled functions", "pending": "by a pending graph"}
MOST_STEPS = 100_000  # of a run that lasts
SEEN_SHARE = 0.01  # of the way to the limit, that the growth is to have gone on


@finding("MP103", "memory-growth", Severity.WARNING)
def memory_growth(seen: Observation) -> Iterator[Finding]:
    """Memory grows steadily although the update is evaluated.

    Something keeps every step's arrays alive: a list of losses, of outputs, of batches. Below a kilobyte a step nothing
    is said.

    Where the process grows to the end, by 64 MB and more, and MLX's arrays do not, Python, NumPy or another library
    keeps something of every step. Files that are mapped to memory look the same, and so does a cache in its first
    epoch: that is a note; a warning where a function keeps all that it ever returned, and is hardly ever asked for any
    of it again.

    Example: `history.append(logits)`; `@functools.cache` on a function that augments.

    Use instead: keep Python numbers (`loss.item()`), or drop what is no longer needed; `lru_cache(maxsize=1024)`, or
    none where arguments never come back.
    """
    yield from _arrays(seen)
    yield from _beside(seen)


def _arrays(seen: Observation) -> Iterator[Finding]:
    """Tell of MLX's own memory."""
    parts = 8 if len(seen.steps) >= MANY_STEPS else 4
    floors = active_floors(seen, parts)
    if len(seen.steps) < ENOUGH_STEPS or not floors or pending_slope(seen) >= GROWING:
        return
    rises = [later - earlier for earlier, later in itertools.pairwise(floors[parts // 4 :])]  # a jump is none
    per_step = growth_per_step(seen)
    if per_step >= EACH_BYTES and min(rises) > max(GROWTH_BYTES, GROWTH_SHARE * floors[0]) * 4 / parts:
        written = f"{per_step / 1e6:.2f} MB" if per_step >= 1e5 else f"{per_step / 1e3:.1f} kB"
        message = f"the memory of MLX's arrays grows by about {written} a step, to the end"
        file, line = place(seen, FirstUpdate)
        evidence = {"bytes_per_step": per_step}
        for kept, at in itertools.islice(seen.facts(ContainerGrows), 1):
            message += f"; {kept.variable} grows with it, to {kept.arrays} arrays"
            file, line, evidence["arrays"] = at.file, at.line, kept.arrays
        yield rule("MP103").at(message, file, line, severity=Severity.WARNING, **evidence)


def _beside(seen: Observation) -> Iterator[Finding]:
    """Tell of memory of the process that is none of MLX's."""
    floors = host_floors(seen)
    if len(seen.steps) < CACHE_STEPS or not floors or pending_slope(seen) >= GROWING:
        return
    rises = [after - before for before, after in itertools.pairwise(floors[LATER:])]
    grown, early = floors[-1] - floors[LATER], (floors[LATER] - floors[BEFORE]) / (LATER - BEFORE)
    if grown < HOST_BYTES or min(rises) < STEADY * max(rises) or grown / len(rises) < STEADY * early:
        return
    per_step = grown / len(rises) * PARTS / len(seen.steps)
    message = f"the process grows by {megabytes(per_step)} a step, to the end, and MLX's arrays do not"
    file, line = place(seen, FirstGradient, FirstUpdate)
    severity = Severity.NOTE
    for cache, at in itertools.islice(seen.facts(CacheUnbounded), 1):
        message += f": `{cache.function}` keeps all {cache.results:,} results of its calls, of which {cache.hits:,} "
        message += "were asked for again"
        file, line, severity = at.file, at.line, Severity.WARNING
    yield rule("MP103").at(message, file, line, severity=severity, bytes_per_step=per_step)


@finding("MP113", "cache-growth", Severity.WARNING)
def cache_growth(seen: Observation) -> Iterator[Finding]:
    """MLX's cache of freed buffers grows to the end, while the memory of arrays is flat: sizes that never come back.

    A freed buffer is kept for an array of nearly its size. Where each batch has another length, hardly any fits, and
    the cache takes what the machine has; on unified memory that is what makes a Mac swap. Below four times the peak of
    the arrays, and where no batches of free lengths were seen, it is a note.

    Example: `batch = mx.array(pad(samples, max(map(len, samples))))` at each step.

    Use instead: `mx.set_cache_limit(n)`, with n about the peak of a step; or pad to multiples of 64, so that sizes come
    back; or `mx.clear_cache()` every so many steps.
    """
    floors, active = cache_floors(seen), active_floors(seen, PARTS)
    peak = max((one.peak_bytes for one in seen.memory), default=0)
    if len(seen.steps) < CACHE_STEPS or not floors or not active or floors[-1] < max(CACHE_BYTES, NOTED * peak):
        return
    per_part = len(seen.steps) / PARTS
    late = (floors[-1] - floors[LATER]) / (PARTS - 1 - LATER)
    early = (floors[LATER] - floors[BEFORE]) / (LATER - BEFORE)
    rises = [after - before for before, after in itertools.pairwise(floors[LATER:])]
    if (
        min(rises) <= 0
        or late < STEADY * early
        or active[-1] - active[LATER] > GROWTH_SHARE * (floors[-1] - floors[LATER])
    ):
        return
    free = free_lengths(seen)
    lengths = f"; its batches had lengths such as {', '.join(map(str, free[:4]))}" if free else ""
    message = (
        f"MLX's cache grows by {megabytes(late / per_part)} a step, to {megabytes(floors[-1])}, while its arrays never "
        f"need more than {megabytes(peak)}{lengths}"
    )
    severity = Severity.WARNING if free and floors[-1] >= WARNED * peak else Severity.NOTE
    file, line = place(seen, FirstGradient, FirstUpdate)
    evidence = {"cache_bytes": floors[-1], "bytes_per_step": late / per_part, "peak_bytes": float(peak)}
    yield rule("MP113").at(message, file, line, severity=severity, **evidence)


def free_lengths(seen: Observation) -> list[int]:
    """Return lengths of batches that are no multiples of what they are padded to; nothing where they are."""
    shapes = [tuple(map(int, name.split()[0].split("×"))) for name in seen.sheet.batches if name[:1].isdigit()]
    for axes in zip(*(one for one in shapes if len(one) == len(shapes[0])), strict=True):
        found = sorted(set(axes))
        if len(found) > 1 and math.gcd(*(after - before for before, after in itertools.pairwise(found))) < PADDED:
            return found
    return []


def cache_floors(seen: Observation) -> list[float]:
    """Return the least that the cache held in each eighth of the steps; nothing where too little was seen of it."""
    ends = [step.t_s for step in seen.steps]
    parts: list[list[int]] = [[] for _ in range(PARTS)]
    for sample in seen.memory:
        number = bisect.bisect_left(ends, sample.t_s)
        if number < len(ends):
            parts[number * PARTS // len(ends)].append(sample.cache_bytes)
    return [float(min(part)) for part in parts] if all(parts) else []


def host_floors(seen: Observation) -> list[float]:
    """Return the least that the process held beside MLX's memory in each eighth of the steps, in bytes; or nothing."""
    ends, times = [step.t_s for step in seen.steps], [one.t_s for one in seen.memory]
    parts: list[list[int]] = [[] for _ in range(PARTS)]
    for sample in seen.samples:
        number, known = bisect.bisect_left(ends, sample.t_s), bisect.bisect_right(times, sample.t_s)
        if number < len(ends) and known:
            mlx = seen.memory[known - 1]
            parts[number * PARTS // len(ends)].append(sample.rss_bytes - mlx.active_bytes - mlx.cache_bytes)
    return [float(min(part)) for part in parts] if all(parts) else []


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
    for told, at in [*seen.every(BuffersHeld)][-1:]:
        growth = {"kept": told.kept_per_step, "traced": told.traced_per_step, "pending": told.pending_per_step}
        now, each, step = told.kept + told.traced + told.pending, sum(growth.values()), max(at.step, 1)
        if each <= 0 or now >= told.limit:
            continue
        end = step + (told.limit - now) / each
        most = now - told.traced + told.most_traced if told.most_traced else math.inf
        bounded = growth["traced"] > each / 2 and most < told.limit
        bounded |= growth["pending"] > each / 2 and evaluates(seen)
        if bounded or end > MOST_STEPS or step < max(MANY_STEPS, SEEN_SHARE * end):
            continue
        parts = ", ".join(f"{rise:.3g} {KEPT_BY[name]}" for name, rise in growth.items() if rise)
        where = "this run ends" if told.metal else "on a Mac this run would end"
        message = f"{each:.3g} arrays more at every step ({parts}): {where} near step {end:,.0f}, at {told.limit:,}"
        lasts = max([step, *(one.span for one in seen.sheet.optimizers)]) >= end
        evidence = {
            "arrays": now,
            "per_step": each,
            "traced_per_step": growth["traced"],
            "steps": step,
            "ends_at_step": round(end),
        }
        severity = Severity.WARNING if lasts else Severity.NOTE
        file, line = at.file, at.line
        held = [*seen.facts(ContainerGrows)] if growth["kept"] > each / 2 else []
        if held:
            most_held, there = max(held, key=lambda one: one[0].arrays)
            message += f"; {most_held.variable} grows with them"
            file, line = there.file, there.line
        yield rule("MP114").at(message, file, line, severity=severity, **evidence)
