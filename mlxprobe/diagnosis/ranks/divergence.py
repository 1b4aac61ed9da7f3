"""Findings about ranks that die, or that train apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import WORLD, Lane, lanes, rank_of
from mlxprobe.diagnosis.ranks.divergence_causes import SELDOM, blaming, given_to_some, made_apart, meant_apart
from mlxprobe.diagnosis.ranks.gradient_averaging import fed_apart, misaveraged, statistics_apart
from mlxprobe.diagnosis.ranks.parameter_fingerprints import Parting, all_apart, first_apart, prints
from mlxprobe.diagnosis.ranks.rank_status import asked_to_leave, called, lost, named, over
from mlxprobe.diagnosis.ranks.reductions import reads
from mlxprobe.protocol.facts.ranks import ReducedInVain
from mlxprobe.rules.registry import ranks_finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import steps_done
from mlxprobe.schema.observation import Collective, Observation
from mlxprobe.schema.record import Finding

GOING_ON = ("running", "enough")
REDUCING = {"all_sum", "sum_scatter", "all_gather"}
ALL_OF_THEM = 0.99  # of the trainable elements
FEW_OF_THEM = 0.5
ENOUGH_STEPS = 4
ROUNDING = 1e-3


@ranks_finding("MP704", "rank-lost")
def rank_lost(seen: Sequence[Observation]) -> Iterator[Finding]:
    """A rank dies while others go on or wait.

    The others meet it in their next collective: with NCCL they wait for ever, on the ring they fail with "connection to
    a peer was lost", which says nothing of the cause.

    Example: one rank raises an exception at a bad batch, or is killed because memory is short.

    Use instead: mend what ended the rank that went first; the errors of the others follow from it.
    """
    for one in seen:
        how = lost(one)
        others = [other for other in seen if other is not one and not lost(other)]
        if not how or not others:
            continue
        hurt = [other for other in others if not over(other) and other.ended not in GOING_ON]
        message = f"rank {rank_of(one)} {how}, in step {steps_done(one) + 1}"
        if hurt:
            message += f"; {named(map(rank_of, hurt))} did not come to an end without it"
        place = (one.raised.file, one.raised.line) if one.raised else asked_to_leave(one)
        severity = Severity.ERROR if hurt else Severity.WARNING
        made = rule("MP704").at(message, *place, severity=severity, steps=steps_done(one))
        caller = one.raised.caller if one.raised else None
        yield msgspec.structs.replace(made, ranks=(rank_of(one),), caller=caller)


@ranks_finding("MP705", "ranks-diverge")
def ranks_diverge(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Parameters that should be equal on all ranks are not, or the batches of ranks that share layers.

    Where every step averages all gradients, ranks that start alike stay alike, bit for bit. Where they did not start
    alike, or update differently, each trains a model of its own with the gradients of others, and what rank 0 saves is
    not what was trained. What batch normalisation counts is averaged by nobody: where ranks have other data, each
    evaluates another model. Ranks that hold parts of one layer add up what they make of one batch, in their gradient
    calls, and their parameters rightly differ.

    Example: `mx.random.seed(group.rank())` before the model is built.

    Use instead: where they start apart, build the model before the seeds part, or send rank 0's parameters to all:
    `mx.distributed.all_sum(p if rank == 0 else mx.zeros_like(p))` for each. Where they part later, look at what lies
    between reduction and update: `grads = nn.average_gradients(grads)`, whose result is what counts; the same order of
    the reductions on every rank; the same state of the optimizer, also after a checkpoint. Average the running
    statistics before an evaluation, and give ranks that share layers the same batches.
    """
    yield from fed_apart(seen)
    yield from statistics_apart(seen)
    for group in lanes(seen):
        told = {one.rank: prints(one.seen) for one in group}
        found = first_apart(told)
        if found is None or not _always_reduced(group, found.step, found.elements):
            continue
        first = f"already before the first update: {_parts(found.parts)} did not start alike"
        later = f"at step {found.step}, though they were equal at step {found.equal_at}: {_parts(found.parts)} differ"
        far = f" (by {found.distance:.2g} of their length)" if math.isfinite(found.distance) else ""
        message = f"parameters differ {later if found.equal_at else first}{far}"
        made = _apart("MP705", message, found, Severity.ERROR if found.distance > ROUNDING else Severity.WARNING)
        given = given_to_some({one.rank: one.seen for one in group}, found)
        yield blaming(made, given) if given or found.equal_at else made_apart(made, [one.seen for one in group])


@ranks_finding("MP706", "gradients-not-averaged", Severity.WARNING)
def gradients_not_averaged(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Several ranks train one model from one start, and what lies between gradients and update is no mean of theirs.

    Each rank trains on its own part of the data alone: no error, no hang, and of all that work only what rank 0 did is
    saved. What is reduced in a few steps, or after the last, counts where parameters are the same afterwards: a mean
    that is printed, or by which ranks are compared, brings none together. Ranks that average nothing are a search for
    the best, and left alone, where optimizers have other settings, all have the same data, each writes its weights to a
    file of its own, or they gather a few numbers of each when all is done. A few elements of the gradients of all ranks
    tell what was made of them: a mean that is divided by their number again, a sum where training explodes, one rank's
    alone, gradients that are reduced with each micro-step anew. A mean of what all have computed from one batch changes
    nothing, and all do the work of one.

    Example: `optimizer.update(model, grads)` under `mlx.launch -n 4`.

    Use instead: `grads = nn.average_gradients(grads)` before the update, once: it returns the mean of means, and
    changes nothing. Give each rank its own part of the data: `data[group.rank() :: group.size()]`.
    """
    known = list(misaveraged(seen))
    yield from known
    trains = [one for one in seen if one.process and one.process.size > 1 and len(one.steps) >= ENOUGH_STEPS]
    if known or len(trains) < len(seen) or _is_parted(seen):
        return
    alone = _groups_of_one(trains)
    trains = [msgspec.structs.replace(one, collectives=_without(one, alone)) for one in trains]
    told = {rank_of(one): prints(one) for one in trains}
    found = first_apart(told)
    if found is None or not found.equal_at or any(_traced(one, None) >= FEW_OF_THEM * found.elements for one in trains):
        return
    reduces = [_reduced_by_step(one, None) for one in trains]
    met = {n for one in reduces for n, much in one.items() if much >= FEW_OF_THEM * found.elements}
    now_and_then = len(met) <= SELDOM * max(len(one.steps) for one in trains)
    dropped = _dropped(trains, found.elements)
    if not (met or dropped) and meant_apart(trains, found):
        return
    looked_at = {n for n in met if not all(n in _in_vain(one) for one in trains)}
    if not looked_at or (now_and_then and all_apart(told, {n + 1 for n in looked_at})):
        message = f"{_parts(found.parts)} train apart: equal at step {found.equal_at}, not at step {found.step}; "
        if dropped is not None:
            message += (
                f"nothing that was evaluated held {called(dropped)}, and no other collective that reduces as much"
            )
            made = _apart("MP706", message, found, Severity.WARNING)
            yield msgspec.structs.replace(
                made, file=dropped.file, line=dropped.line, source=dropped.source, caller=dropped.caller
            )
            return
        most = max(much for one in reduces for n, much in [(0, 0), *one.items()] if n not in met)
        message += f"at most {most} elements are reduced in a step, of {found.elements} that are trained"
        message += f", but in {len(met)} of {len(trains[0].steps)}, after which they differ" if met else ""
        message += ", in addition to what is reduced in groups of one rank each" if alone else ""
        yield _apart("MP706", message, found, Severity.WARNING)


def _is_parted(seen: Sequence[Observation]) -> bool:
    """Tell whether ranks hold parts of one model, each its own: of a pipeline, or of layers that they share."""
    messages = any(row.peer >= 0 for one in seen for row in one.collectives)
    return messages or any(told.sharded for one in seen for told in reads(one).values())


def _groups_of_one(seen: Sequence[Observation]) -> set[str]:
    """Return the groups of a split in which one rank alone reduces."""
    groups = [group for one in seen for group in {row.group for row in one.collectives} - {WORLD}]
    return {group for group in groups if groups.count(group) == 1}


def _without(seen: Observation, groups: set[str]) -> tuple[Collective, ...]:
    return tuple(row for row in seen.collectives if row.group not in groups)


def _dropped(seen: Sequence[Observation], elements: int) -> Collective | None:
    """Return the first collective of each step, where each reduces all that is trained and nobody takes the result."""
    for one in seen:
        steps: dict[int, list[Collective]] = {}
        for row in one.collectives:
            if row.passed and row.operation in REDUCING:
                steps.setdefault(row.step, []).append(row)
        much = [rows for rows in steps.values() if sum(math.prod(row.shape) for row in rows) >= FEW_OF_THEM * elements]
        if len(much) < ENOUGH_STEPS:
            return None
        first = much[0][0]
    return first


def _apart(code: str, message: str, found: Parting, severity: Severity) -> Finding:
    made = rule(code).at(message, *found.place, severity=severity, step=found.step)
    return msgspec.structs.replace(made, ranks=tuple(sorted(rank for one in found.parts for rank in one)))


def _parts(parts: list[list[int]]) -> str:
    """Name the ranks that are alike, part by part."""
    return " and ".join(sorted(map(named, parts)))


def _reduced_by_step(seen: Observation, group: str | None) -> dict[int, int]:
    """Count the elements that each step reduces, in a group or in any."""
    found: dict[int, int] = {}
    for one in seen.collectives:
        if one.operation in REDUCING and not (one.traced or one.passed) and group in (None, one.group):
            found[one.step] = found.get(one.step, 0) + math.prod(one.shape)
    return found


def _in_vain(seen: Observation) -> set[int]:
    """Return the last step, where all parameters were reduced in it and no model and no file got what came of that."""
    return {fact.at for fact, _ in seen.every(ReducedInVain)}


def _traced(seen: Observation, group: str | None) -> int:
    rows = [one for one in seen.collectives if one.traced and one.operation in REDUCING and group in (None, one.group)]
    return sum(math.prod(one.shape) for one in rows)


def _always_reduced(group: list[Lane], step: int, elements: int) -> bool:
    """Tell whether every step before one, as far as they are known, reduced as many elements as are trained.

    What a gradient call itself reduces is made of a batch, by ranks that hold parts of one model.
    """
    name = next((row.group for one in group for row in one.rows), "")
    for one in group:
        outside = msgspec.structs.replace(one.seen, collectives=tuple(r for r in one.seen.collectives if not r.within))
        reduced = _reduced_by_step(outside, name)
        first = 1 if one.first == 1 else 1 + min((row.step for row in one.rows), default=0)
        known = [n for n in (row.n for row in one.seen.steps) if n >= first][: max(2, step)]
        traced = _traced(outside, name)
        if not known or any(reduced.get(n, 0) + traced < ALL_OF_THEM * elements for n in known):
            return False
    return True
