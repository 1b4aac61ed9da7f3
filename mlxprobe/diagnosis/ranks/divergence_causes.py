"""What parted the parameters of ranks: what some were given alone, how their models were made or are updated. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from mlxprobe.diagnosis.ranks.parameter_fingerprints import Parting
from mlxprobe.diagnosis.ranks.rank_status import line, named
from mlxprobe.diagnosis.ranks.reductions import reads
from mlxprobe.protocol.facts.ranks import ModelMade, StateGiven, WeightsWritten
from mlxprobe.schema.observation import Observation, Place, Sighting
from mlxprobe.schema.record import Finding
from mlxprobe.schema.run_summary import Optimizer

NEAR = 0.05
SELDOM = 0.1  # of the steps
Given = tuple[Sighting[StateGiven], list[int]]  # with the ranks that were given it


def given_to_some(ranks: Mapping[int, Observation], found: Parting) -> Given | None:
    """Return what some ranks were given from a file, and others were not, in time to part them as they are parted.

    Parameters that were equal afterwards were not parted by weights; a state shows with the next update.
    """
    given: dict[tuple[str, int], list[int]] = {}
    known: dict[tuple[str, int], Sighting[StateGiven]] = {}
    for rank, seen in ranks.items():
        for fact, at in seen.every(StateGiven):
            in_time = at.step <= found.step and (fact.what != "weights" or at.step >= found.equal_at)
            if in_time and rank not in given.setdefault((at.file, at.line), []):
                given[at.file, at.line].append(rank)
                known[at.file, at.line] = at
    for place, some in reversed(given.items()):
        if len(some) < len(ranks) and all(set(part) <= set(some) or not set(part) & set(some) for part in found.parts):
            return known[place], some
    return None


def blaming(made: Finding, cause: Given | None) -> Finding:
    """Name in a finding what alone some ranks were given, at its line."""
    if cause is None:
        return made
    at, some = cause
    verb = "was" if len(some) == 1 else "were"
    place = line(Place(file=at.file, line=at.line))
    return msgspec.structs.replace(
        made,
        message=f"{made.message}; {named(some)} alone {verb} given {at.fact.what} at {place}",
        ranks=tuple(some),
        file=at.file,
        line=at.line,
        source=at.source,
        caller=at.caller,
    )


def made_apart(made: Finding, seen: Sequence[Observation]) -> Finding:
    """Put a finding where its ranks have made their models, and say after which seeds."""
    known = [at for one in seen for _, at in one.every(ModelMade)]
    if len(known) < len(seen) or len({(one.file, one.line) for one in known}) > 1:
        return made
    seeds = {(one.fact.seed, one.fact.seeded) for one in known}
    values = sorted({seed for seed, _ in seeds})
    places = {place for _, place in seeds}
    after = (
        f" after `mx.random.seed` of {' and '.join(values)} at {places.pop()}"
        if len(places) == 1 and len(values) > 1
        else ""
    )
    first = known[0]
    message = f"{made.message}; their models are made{after}" if after else made.message
    place = {"file": first.file, "line": first.line, "source": first.source, "caller": first.caller}
    return msgspec.structs.replace(made, message=message, **place)


def meant_apart(seen: Sequence[Observation], found: Parting) -> bool:
    """Tell whether ranks that reduce nothing are a search for the best: other settings, or the same data for all.

    So are those that each write weights to a file of their own, as folds do, or are compared by a few numbers of each:
    nothing of what they did is lost.
    """
    searched = any(_unlike(seen[0], one) for one in seen[1:]) or _on_the_same(seen, found)
    return searched or (_meet_seldom(seen) and (kept_apart(seen) or _are_compared(seen, found.elements)))


def kept_apart(seen: Sequence[Observation]) -> bool:
    """Tell whether each rank has written weights, and to files of its own."""
    files = [{fact.path for fact, _ in one.every(WeightsWritten)} for one in seen]
    return all(files) and len(set.union(*files)) == sum(map(len, files))


def _meet_seldom(seen: Sequence[Observation]) -> bool:
    """Tell whether ranks hear of each other in a few steps at most."""
    return all(len({row.step for row in one.collectives}) <= SELDOM * len(one.steps) for one in seen)


def _are_compared(seen: Sequence[Observation], elements: int) -> bool:
    """Tell whether ranks gather numbers, which keeps them apart, and nothing as large as half of what is trained."""
    rows = [row for one in seen for row in one.collectives]
    gathers = [any(row.operation == "all_gather" for row in one.collectives) for one in seen]
    return all(gathers) and all(2 * math.prod(row.shape) < elements for row in rows)


def _on_the_same(seen: Sequence[Observation], found: Parting) -> bool:
    """Tell whether batches were the same on all ranks, or the gradients while parameters were.

    Then it is no data that parted them, but what they were made or updated with: a momentum, a dropout, a term's
    weight.
    """
    known = [reads(one) for one in seen]
    steps = sorted(set.intersection(*map(set, known)))
    every = [[one[step] for one in known] for step in steps]
    same = bool(every) and all(here[0].batch and len({one.batch for one in here}) == 1 for here in every)
    alike = [[one[step].calls for one in known] for step in steps if step <= found.equal_at]
    return same or (bool(alike) and all(len(set(here)) == 1 for here in alike))


def _unlike(one: Observation, other: Observation) -> bool:
    pairs = list(zip(one.sheet.optimizers, other.sheet.optimizers, strict=False))
    return any(_settings(a) != _settings(b) or _rates_differ(dict(a.rates), dict(b.rates)) for a, b in pairs)


def _settings(one: Optimizer) -> tuple[str, str, float, dict[str, str]]:
    return one.name, one.schedule, one.weight_decay, one.settings


def _rates_differ(rates: Mapping[int, float], others: Mapping[int, float]) -> bool:
    """Tell whether rates differ after as many updates, mostly: a schedule may end a batch later on one rank."""
    known = rates.keys() & others.keys()
    return 2 * sum(not math.isclose(rates[n], others[n], rel_tol=NEAR) for n in known) > len(known)
