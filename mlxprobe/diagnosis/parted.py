"""What parted the parameters of ranks: what some were given alone, or how their models were made. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mlxprobe.diagnosis.fates import line, named
from mlxprobe.diagnosis.prints import Parting
from mlxprobe.values.again import GIVEN, MADE
from mlxprobe.values.observation import Fact, Observation, Place
from mlxprobe.values.record import Finding


def given_to_some(ranks: Mapping[int, Observation], found: Parting) -> tuple[Fact, list[int]] | None:
    """Return what some ranks were given from a file, and others were not, in time to part them as they are parted.

    Parameters that were equal afterwards were not parted by weights; a state shows with the next update.
    """
    given: dict[tuple[str, int], list[int]] = {}
    known: dict[tuple[str, int], Fact] = {}
    for rank, seen in ranks.items():
        for fact in seen.facts:
            in_time = fact.step <= found.step and (fact.detail.get("what") != "weights" or fact.step >= found.equal_at)
            if fact.name == GIVEN and in_time and rank not in given.setdefault((fact.file, fact.line), []):
                given[fact.file, fact.line].append(rank)
                known[fact.file, fact.line] = fact
    for place, some in reversed(given.items()):
        if len(some) < len(ranks) and all(set(part) <= set(some) or not set(part) & set(some) for part in found.parts):
            return known[place], some
    return None


def blaming(made: Finding, cause: tuple[Fact, list[int]] | None) -> Finding:
    """Name in a finding what alone some ranks were given, at its line."""
    if cause is None:
        return made
    fact, some = cause
    verb = "was" if len(some) == 1 else "were"
    place = line(Place(file=fact.file, line=fact.line))
    return msgspec.structs.replace(
        made,
        message=f"{made.message}; {named(some)} alone {verb} given {fact.detail['what']} at {place}",
        ranks=tuple(some),
        file=fact.file,
        line=fact.line,
        source=fact.source,
        caller=fact.caller,
    )


def made_apart(made: Finding, seen: Sequence[Observation]) -> Finding:
    """Put a finding where its ranks have made their models, and say after which seeds."""
    facts = [fact for one in seen for fact in one.facts if fact.name == MADE]
    if len(facts) < len(seen) or len({(one.file, one.line) for one in facts}) > 1:
        return made
    seeds = {(str(one.detail["seed"]), str(one.detail["seeded"])) for one in facts}
    values = sorted({seed for seed, _ in seeds})
    places = {place for _, place in seeds}
    after = (
        f" after `mx.random.seed` of {' and '.join(values)} at {places.pop()}"
        if len(places) == 1 and len(values) > 1
        else ""
    )
    first = facts[0]
    message = f"{made.message}; their models are made{after}" if after else made.message
    place = {"file": first.file, "line": first.line, "source": first.source, "caller": first.caller}
    return msgspec.structs.replace(made, message=message, **place)
