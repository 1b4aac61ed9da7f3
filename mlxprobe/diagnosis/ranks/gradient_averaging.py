"""What ranks make of their gradients and of their batch statistics, in words: pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import WORLD, rank_of
from mlxprobe.diagnosis.ranks.divergence_causes import kept_apart
from mlxprobe.diagnosis.ranks.parameter_fingerprints import first_apart, prints
from mlxprobe.diagnosis.ranks.rank_status import named, over
from mlxprobe.diagnosis.ranks.reductions import Read, Verdict, reads, verdicts
from mlxprobe.protocol.facts.gradients import GradientNotFinite
from mlxprobe.protocol.facts.losses import LossNotFinite
from mlxprobe.protocol.facts.ranks import BatchMade, StatisticsRead
from mlxprobe.rules.registry import listed, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

SURE = 3  # steps
REDUCING = {"all_sum", "sum_scatter", "all_gather"}
EXPLODES = (LossNotFinite, GradientNotFinite)
UNSCALED = {"Adam", "AdamW", "Adamax", "Adagrad", "RMSprop", "AdaDelta", "Lion", "Adafactor", "Muon"}
ALWAYS = {"alike", "left out", "other batches"}  # a rank whose data are at their end may join with no weight
FAR = 0.5  # deviations by which the means of batches differ between ranks
NOISE = 5.0  # times what chance makes of them
Judged = list[tuple[int, dict[int, Read], Verdict]]


def misaveraged(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Tell of gradients that are reduced, and of which no mean over all ranks comes."""
    kind, judged = _judged(seen)
    here, verdict = (judged[0][1], judged[0][2]) if judged else ({}, Verdict(""))
    size, told = len(here), next(iter(here.values()), None)
    if told is None or any(row.peer >= 0 for one in seen for row in one.collectives):
        return
    at, twice = _reduced_at(seen, told), f"{size} times"
    message = ""
    if kind == "alike":
        batches = {one.batch for _, reads_, _ in judged for one in reads_.values()}
        if (
            len(batches) >= SURE
            and _meets(seen, judged)
            and first_apart({rank_of(one): prints(one) for one in seen}) is None
        ):
            at = _batch_made(seen) or told.place
            message = f"all {size} ranks computed the same gradients from the same batches, at all of {len(judged)} "
            message += "sampled steps: all ranks process identical batches, so data parallelism gains nothing"
    elif kind == "divided twice" and told.optimizer not in UNSCALED:
        at = told.scaled_at if verdict.by_loss else at
        message = (
            f"the optimizer is given a {_part(size)} of the mean of all ranks' gradients: they are divided by the "
        )
        message += f"number of ranks twice{', the loss and the sum' if verdict.by_loss else ''}"
    elif kind == "summed" and told.optimizer not in UNSCALED and any(one.has(*EXPLODES) for one in seen):
        message = (
            f"the optimizer is given the sum of all ranks' gradients, {twice} their mean, and the training explodes"
        )
    elif kind == "partly" and not kept_apart(seen) and _parted_later(seen):  # else each has a head of its own
        message = (
            f"the gradients of {listed(list(verdict.names))} are each rank's own, and those of others are averaged"
        )
        at = told.place
    elif kind == "left out":
        message = f"what {named(verdict.ranks)} computed is in no update: the gradients of the others alone are"
    elif kind == "reduced again":
        message = f"gradients are summed over the ranks again with each micro-step: each counts {twice} the next one"
    if message:
        ranks = verdict.ranks or tuple(sorted(here))
        made = rule("MP706").at(message, *at, severity=Severity.WARNING, step=judged[0][0], looks=len(judged))
        yield msgspec.structs.replace(made, ranks=ranks)


def fed_apart(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Tell of ranks that hold parts of one layer, and are given other batches."""
    kind, judged = _judged(seen)
    rows = [row for one in seen for row in one.collectives]
    if kind != "other batches" or any(row.operation != "all_sum" or row.group != WORLD for row in rows):
        return
    here = judged[0][1]
    message = f"{named(here)} hold parts of the same layers, and were given other batches, at all of {len(judged)} "
    message += "sampled steps: their sum belongs to no batch"
    place = _batch_made(seen) or next(iter(here.values())).place
    made = rule("MP705").at(message, *place, severity=Severity.WARNING, step=judged[0][0], looks=len(judged))
    yield msgspec.structs.replace(made, ranks=tuple(sorted(here)))


def statistics_apart(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Tell of batch statistics that differ at the end by more than chance makes of them, where parameters are equal."""
    told = {rank_of(one): at for one in seen for _, at in one.every(StatisticsRead)}
    of = {at.fact.path for at in told.values()}
    known = {rank_of(one): prints(one) for one in seen}
    if not all(map(over, seen)) or len(told) < len(seen) or len(of) > 1:
        return
    if not all(known.values()) or first_apart(known) is not None:
        return
    ranks = sorted(told)
    first = told[ranks[0]]
    far = max(_apart(first.fact, told[rank].fact) for rank in ranks[1:])
    rows = min(at.fact.rows for at in told.values())
    if rows and far > max(FAR, NOISE * math.sqrt(0.1 / rows)):
        message = f"the running statistics of {first.fact.path} differ at the end, by {far:.2g} deviations, where "
        message += "parameters are equal: what one rank evaluates or saves is no model of the others"
        made = rule("MP705").at(message, first.file, first.line, severity=Severity.WARNING, apart=far)
        yield msgspec.structs.replace(made, ranks=tuple(ranks))


def _parted_later(seen: Sequence[Observation]) -> bool:
    found = first_apart({rank_of(one): prints(one) for one in seen})
    return found is not None and found.equal_at > 0


def _judged(seen: Sequence[Observation]) -> tuple[str, Judged]:
    """Return what is wrong with all steps that could be judged; an empty kind where it is nothing, or not sure."""
    sizes = {one.process.size for one in seen if one.process}
    every = list(verdicts({rank_of(one): reads(one) for one in seen})) if sizes == {len(seen)} else []
    wrong: Judged = [(step, here, one) for step, here, one in every if one is not None]
    kinds = {(one.kind, one.ranks, one.names, one.by_loss) for *_, one in wrong}
    sure = len(kinds) == 1 and len(wrong) >= SURE and 2 * len(wrong) > len(every)
    always = len(wrong) == len(every) or (sure and wrong[0][2].kind not in ALWAYS)
    return (wrong[0][2].kind, wrong) if sure and always else ("", [])


def _meets(seen: Sequence[Observation], judged: Judged) -> bool:
    """Tell whether the steps that were judged have reduced what is trained."""
    steps = {step for step, *_ in judged}
    elements = max((one.fact.elements for seen_ in seen for one in prints(seen_).values()), default=0)
    for one in seen:
        much: dict[int, int] = {}
        for row in one.collectives:
            if row.operation in REDUCING and not row.passed:
                much[row.step] = much.get(row.step, 0) + math.prod(row.shape)
        known = [step for step in steps if step in much]
        if not known or any(2 * much[step] < elements for step in known):
            return False
    return True


def _reduced_at(seen: Sequence[Observation], told: Read) -> tuple[str, int]:
    """Return the line that reduces the most; where none is known, that of the gradient call."""
    rows = [row for one in seen for row in one.collectives if row.operation in REDUCING and row.file]
    most = max(rows, key=lambda row: math.prod(row.shape), default=None)
    return (most.file, most.line) if most else told.place


def _batch_made(seen: Sequence[Observation]) -> tuple[str, int] | None:
    """Return the line that builds the batches, where it is one on all ranks."""
    places = {(at.file, at.line) for one in seen for _, at in one.every(BatchMade)}
    return places.pop() if len(places) == 1 else None


def _part(size: int) -> str:
    return {2: "half", 3: "third", 4: "quarter"}.get(size, f"part of 1/{size}")


def _apart(one: StatisticsRead, other: StatisticsRead) -> float:
    """Return the root of the mean square by which means differ, in deviations."""
    spread = map(max, one.deviation, other.deviation)
    off = [((a - b) / d) ** 2 for a, b, d in zip(one.mean, other.mean, spread, strict=False) if d]
    return math.sqrt(sum(off) / len(off)) if off else 0.0
