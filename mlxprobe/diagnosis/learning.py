"""Findings about the loss."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Container, Iterator, Mapping
from typing import TypeVar

from msgspec.structs import replace

from mlxprobe.diagnosis.chance_level import KNOWING, READ, at_chance, gains, known_level, knows, stays_near_chance
from mlxprobe.diagnosis.trends import CERTAIN, HIGHER, SURE, came_back, falls, falls_anew, ranked, stays_above, trend
from mlxprobe.protocol.facts.data import ConstantLevel
from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.protocol.facts.losses import Supervision, TwoClasses, Worth
from mlxprobe.protocol.facts.updates import AnotherTraining, FirstUpdate, GradientsUnused, Resumed
from mlxprobe.rules.registry import finding, lower_rate, place, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import is_mean
from mlxprobe.schema.metrics import steps_done, still
from mlxprobe.schema.observation import Observation, Sighting
from mlxprobe.schema.record import Finding

SQUARE = "square"  # a loss that has no classes
SEVERAL = 60  # readings
Told = tuple[str, Severity, dict[str, float]]
ENOUGH_LOSSES = 20
FALLS = 0.05  # whatever its scatter, where nothing tells that it is to fall
DIVERGED = 3.0
DIVERGED_UNKNOWN = 10.0  # where nothing tells whether the loss is to fall
NO_BETTER, MUCH_WORSE = 0.02, 0.15  # relative to a constant's loss
NO_MORE = ("nothing left to learn", "no more to learn")
REST = ": there may be "  # not of a run without any update
KNOWS = f", far below that of a constant from the start{REST}nothing left to learn"
MAYBE = f", and may be a little below that of a constant on the same rows{REST}no more to learn"
BELOW = f", {{:.3g}} below that of a constant on the rows that were read{REST}no more to learn"
LEARNED = "nothing else, where it has learned enough; else a lower rate, or more of the model"
FAR_OFF = 2.0  # times chance
IN_TURN = 0.2
OfStream = TypeVar("OfStream", ConstantLevel, Resumed, Supervision, TwoClasses)


@finding("MP306", "not-learning", Severity.WARNING, needs="losses")
def not_learning(seen: Observation) -> Iterator[Finding]:
    """The loss does not fall.

    Over at least 20 losses of one model, the last third is not below the first ones,
    nor below the first third, by 2 % and by twice what their own scatter explains. A tenth below the first third is
    always enough, and so is a falling trend that chance makes once in two hundred (Mann-Kendall).

    It is a warning where the loss compares outputs with targets that it is given. Elsewhere (a generator's loss, a
    preference's, one weighed by the model's own likelihoods, one below zero, one inside a compiled step) it is a note,
    for nothing tells that it is to fall, and a median lower by a twentieth is a fall; so it is where the weights came
    from a file, since they may be trained, unless the loss is no lower than chance, and where it has been less than
    half of the best constant's, or of chance, all the time. Of a policy's loss nothing is said. A loss that stays above
    three times (ten times, where it is not known to be supervised) its first value over the whole last third has
    diverged, unless it is still less than half of chance, or of the best constant's: what is learned may become harder.
    Where another optimizer takes the model over that is another training, and the last one counts. Where other models
    go on at the same line, with weights from a file, they and the first are one training. A loss that has come
    to chance, the logarithm of the number of classes, to four digits, and stays there, is that of a model whose outputs
    are all alike. One that lies within a hundredth of it for two thirds of a long run, and falls no more, is that of a
    model whose inputs say nothing of its targets; targets that are zeros and ones are two classes. So is one that lies
    at the loss of the best constant, or a little above: the entropy of the classes among the targets that were read, or
    their variance.

    A loss that ends above chance is a warning, where it no longer falls or ends no lower than it began; elsewhere it is
    a note. A constant output has that loss. This is judged of the mean over positions alone: a penalty or a second term
    adds to it. The same holds of a squared error and the variance of its targets. A loss that rose, and is back where
    it began, is a note where no such level is known; so is one above the entropy of its classes.

    A program that reads its losses as a sum, or now and then, is judged by a sample of them. They are evaluated at
    every fourth step at first and later at intervals of 4 % of the run, once the program has evaluated their gradients.

    A first loss of more than twice chance is a note, where no weights came from a file: embeddings or a last layer
    that begin with weights of size one, say. Much of the run then goes to taking that back.

    Example: gradients that are never applied, labels that do not reach the loss, a learning rate of 0, or of 30.

    Use instead: train on one batch again and again. Where its loss does not fall either, the loop or the rate is at
    fault, and a finding beside this one may name the cause; where it falls, inputs and targets do not go together.
    """
    if _has_no_trend(seen):
        return
    to_fall, places = supervised(seen), _by_stream(seen, Supervision)
    classes = seen.sheet.model.classes if seen.sheet.model else 0
    chooses = seen.has(Worth)  # a policy, whose loss says nothing
    yield from _far_off(seen, to_fall, _by_stream(seen, Resumed), classes)
    for stream in sorted({one.stream for one in seen.losses}):
        judgement = _judged(seen, stream, to_fall.get(stream), classes)
        if judgement and not (chooses and judgement[1] is Severity.NOTE):
            here = places.get(stream)
            yield _placed(seen, judgement, (here.file, here.line) if here else place(seen, FirstGradient))


def _has_no_trend(seen: Observation) -> bool:
    """Check whether too few updates show a trend, or the loss is constant because nothing is updated."""
    few = seen.has(FirstUpdate) and steps_done(seen) < ENOUGH_LOSSES  # the losses may be those of micro-batches
    return few or (still(seen) and seen.has(GradientsUnused))


def _placed(seen: Observation, judgement: Told, site: tuple[str, int]) -> Finding:
    """Return the finding of a judgement, with the advice that fits it."""
    (file, line), (message, severity, evidence) = site, judgement
    if seen.has(GradientsUnused):
        message = message.partition(REST)[0]
    found = rule("MP306").at(message, file, line, severity=severity, **evidence)
    if "top" in evidence:
        found = replace(found, instead=f"{lower_rate(seen)}, or a warm-up of the rate.")
    return replace(found, instead=LEARNED) if message.endswith(NO_MORE) else found


def _by_stream(seen: Observation, kind: type[OfStream]) -> dict[int, Sighting[OfStream]]:
    """Return the last fact of a type for each model's or function's losses."""
    return {fact.stream: at for fact, at in seen.every(kind)}


def _judged(seen: Observation, stream: int, meant: bool | None, classes: int) -> Told | None:
    """Judge the losses of one model or function; `meant` tells whether they are to fall, as far as is known."""
    trainings = _going_on(seen, stream) or long_trainings(seen, stream)
    values, last = list(itertools.chain(*trainings)), trainings[-1]
    if len(values) < ENOUGH_LOSSES:
        return None
    known = _by_stream(seen, ConstantLevel).get(stream)
    level = known.fact if known else None
    binary = stream in _by_stream(seen, TwoClasses)
    its = 0 if level is not None and level.kind == SQUARE else classes  # or those are another model's
    meant = meant if min(values) >= 0 else False
    sure = bool(meant) and stream not in _by_stream(seen, Resumed)
    mean, compares = is_mean(seen.sightings), _by_stream(seen, Supervision).get(stream)
    chance = math.log(its) if its > 1 and mean else math.inf
    one = mean and compares is not None and compares.fact.single
    calls = _calls(seen, stream) * len(last) / len(values)
    breaks = any(one.stream == stream and not math.isfinite(one.value) for one in seen.losses)
    return (
        _diverged(last, meant, known_level(level, classes), breaks=breaks)
        or _come_to_chance(last, its, calls, meant=bool(meant), binary=binary)
        or _no_better(last, level, meant=bool(meant))
        or (None if in_turn(seen) else _flat(last, level, classes, sure=sure, meant=bool(meant), chance=chance))
        or (None if in_turn(seen) else ended(last, level, its or 2 * binary, meant=meant, one=one))
    )


def _calls(seen: Observation, stream: int) -> int:
    """Return how many gradient calls lie between the first and the last reading of a stream."""
    calls = [one.step for one in seen.losses if one.stream == stream]
    return calls[-1] - calls[0]


def _far_off(
    seen: Observation, to_fall: Mapping[int, bool], resumed: Container[int], classes: int
) -> Iterator[Finding]:
    """Tell of a first loss, a mean over positions, that is far above chance: the outputs are sure of what is wrong."""
    first = seen.losses[0] if seen.losses else None
    if first is None or first.step != 1 or first.stream in resumed or not to_fall.get(first.stream) or classes < 2:
        return
    if is_mean(seen.sightings) and first.value > FAR_OFF * math.log(classes):
        message = f"the first loss is {first.value:.4g}, and chance is ln {classes:,} = {math.log(classes):.5g}: the "
        message += "outputs are far too large before anything is learned"
        yield rule("MP306").at(message, *place(seen, FirstGradient), severity=Severity.NOTE, first=first.value)


def long_trainings(seen: Observation, stream: int) -> list[list[float]]:
    """Return the readings of a model's losses, those of each training apart: of all together where none is long."""
    read = [one for one in seen.losses if one.stream == stream and math.isfinite(one.value)]
    begun = [fact.call for fact, _ in seen.every(AnotherTraining) if fact.stream == stream]
    starts = [0, *sorted(begun), math.inf]
    parts = [[one.value for one in read if first <= one.step < last] for first, last in itertools.pairwise(starts)]
    return [part for part in parts if len(part) >= ENOUGH_LOSSES] or [[one.value for one in read]]


def _going_on(seen: Observation, stream: int) -> list[list[float]]:
    """Return as one the readings of a model and of those that, at its line, go on later from a file; none without."""
    places, resumed = _by_stream(seen, Supervision), _by_stream(seen, Resumed)
    if stream not in places or stream in resumed:
        return []
    here = places[stream]
    later = [one for one, at in places.items() if one in resumed and (at.file, at.line) == (here.file, here.line)]
    streams = [stream, *sorted(one for one in later if one > stream)]
    parts = [part for one in streams for part in long_trainings(seen, one)]
    return [list(itertools.chain(*parts))] if streams[1:] else []


def _diverged(values: list[float], meant: bool | None, level: float, *, breaks: bool) -> Told | None:
    """Tell of a loss that stays far above its first value, and above half of what no knowledge at all has.

    Not of one that is not meant to fall. A queue that fills with samples makes a task harder, as a new task does.
    """
    lowest = min(values[-(len(values) // 3) :])
    bound = (DIVERGED if meant else DIVERGED_UNKNOWN) * values[0]
    if meant is False or lowest < KNOWING * level or not lowest > bound > 0:
        return None
    message = f"the loss has diverged: {values[0]:.4g} at first, and never below {lowest:.4g} in the last third"
    message += " of its finite values" if breaks else ""
    return message, Severity.WARNING, {"first": values[0], "lowest": lowest}


def _come_to_chance(values: list[float], classes: int, calls: float, *, meant: bool, binary: bool) -> Told | None:
    """Tell of a loss that has come to what outputs without a word on the targets give."""
    last = values[-(len(values) // 3) :]
    come = at_chance(values[0], last, classes)
    classes = classes or 2 * binary
    if not (come or (meant and stays_near_chance(values, classes, calls))):
        return None
    message = f"the loss has come to chance and stays there: ln {classes:,} = {math.log(classes):.5g}"
    return message, Severity.WARNING, {"first": values[0], "last": last[-1]}


CLEAR = 0.01  # of a constant's loss: shown as a share


def _no_better(values: list[float], known: ConstantLevel | None, *, meant: bool) -> Told | None:
    """Tell of a loss that is no lower than that of the best constant, and falls no more."""
    if known is None or gains(known) or not meant:
        return None
    level, rest = known.level, values[len(values) // 3 :]
    halves = [statistics.median(half) for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :])]
    low, high = level - 2 * known.error - NO_BETTER * level, (1 + MUCH_WORSE) * level
    at_level = known.read >= READ and level > 0 and all(low <= half <= high for half in halves)
    if not (at_level and len(values) >= SEVERAL and trend(rest) > -HIGHER):
        return None
    message = f"the loss stays at {halves[1]:.4g}, and a constant that looks at no input has {level:.4g} on the "
    message += f"{known.read} targets that were read: the model does "
    better = 1 - halves[1] / level
    message += f"only {better:.0%} better than that" if better >= CLEAR else "no better than that"
    return message, Severity.WARNING, {"first": values[0], "last": values[-1], "constant": level}


def _flat(
    values: list[float], level: ConstantLevel | None, classes: int, *, sure: bool, meant: bool, chance: float
) -> Told | None:
    """Tell of a loss that does not fall by more than its scatter."""
    third, start = values[: len(values) // 3], values[: max(3, len(values) // 10)]
    last = values[-len(third) :]
    if falls_anew(values):
        return None
    first, end = statistics.median(third), statistics.median(last)
    falling = falls(start, last, CERTAIN) or falls(third, last) or ranked(values[:3], last) > HIGHER
    if falling or trend(values) < -SURE or (not meant and first - end > FALLS * abs(first)):
        return None
    message = f"the loss does not fall: its median is {first:.4g} in the first third of {len(values)} readings, and "
    message += f"{end:.4g} in the last third"
    if not any(values):
        message = f"the loss is zero at all {len(values)} readings: it asks for nothing"
    done = knows(values, level, classes)
    ignorant = meant and end >= chance  # whatever was trained before knows more
    ahead = gains(level) and not ignorant
    sure = sure or ignorant
    severity = Severity.WARNING if sure and not done and not ahead else Severity.NOTE
    words = KNOWS if done else _ahead(level) if ahead and level and level.gain > 0 else ""
    return message + words, severity, {"first": first, "last": end}


def _ahead(level: ConstantLevel) -> str:
    """Say by how much a loss is below that of a constant, or that it may be."""
    return BELOW.format(level.gain) if level.gain > 2 * level.gain_error else MAYBE


def in_turn(seen: Observation) -> bool:
    """Tell whether losses of several models are read in turn: of players, of whom no one's need fall."""
    turns = sum(one.stream != other.stream for one, other in itertools.pairwise(seen.losses))
    return turns > IN_TURN * len(seen.losses)


def supervised(seen: Observation) -> dict[int, bool]:
    """Return which models' losses compare outputs with targets, as far as is known; no losses read in turn do."""
    if in_turn(seen):
        return dict.fromkeys((one.stream for one in seen.losses), False)
    return {fact.stream: fact.supervised for fact, _ in seen.every(Supervision)}


def ended(
    values: list[float], known: ConstantLevel | None, classes: int, *, meant: bool | None, one: bool
) -> Told | None:
    """Judge the end of a series; `one` where the loss is known to be the mean over its positions and nothing more.

    Constant outputs have a loss of chance, or of the variance of the targets: a model that ends above it has learned
    nothing. Above the entropy of the classes a loss may still be on its way, or smoothed labels may add to it.
    """
    back = came_back(values) if meant is not False else None
    level, name = _ignorance(known, classes) if one and meant else (0.0, "")
    above = level > 0 and stays_above(values, level)
    end = statistics.median(values[-max(3, len(values) // 10) :])
    than = f", above {name}" if above else ""
    if back:
        start, top = back[0], max(values)
        began = "no lower than it began" if end >= start else "about where it began"
        message = f"the loss rose from {start:.4g} to {top:.4g} and ends at about {end:.4g}, {began}{than}"
        return message, Severity.WARNING if above else Severity.NOTE, {"first": start, "top": top, "last": end}
    if above:
        severity = Severity.WARNING if _stands(values) else Severity.NOTE
        return (
            f"the loss ends at {end:.4g}{than}: a constant output does better",
            severity,
            {"first": values[0], "last": end},
        )
    entropy = _entropy(known, classes) if one and meant else 0.0
    if known is not None and entropy > 0 and stays_above(values, entropy):
        message = f"the loss ends at {end:.4g}, and a constant output has at most {entropy:.4g} on targets such as the "
        message += f"{known.read} that were read: so far the model does no better"
        return message, Severity.NOTE, {"first": values[0], "last": end, "constant": entropy}
    return None


def _stands(values: list[float]) -> bool:
    """Tell whether a series ends no lower than it began, or falls no more over the last two thirds of a long one."""
    start, last = values[: max(3, len(values) // 10)], values[-(len(values) // 3) :]
    fell = values[0] > statistics.median(last) and (falls(start, last, CERTAIN) or ranked(start, last) > HIGHER)
    return not fell or (len(values) >= SEVERAL and trend(values[len(values) // 3 :]) > -HIGHER)


def _ignorance(known: ConstantLevel | None, classes: int) -> tuple[float, str]:
    """Return the loss of outputs that know nothing, with a name for it; 0 where it is not known."""
    if known is not None and known.kind == SQUARE:
        name = f"that of the best constant, {known.level:.4g} on the {known.read} targets that were read"
        return (known.level + 2 * known.error, name) if known.read >= READ else (0.0, "")
    chance = math.log(classes) if classes > 1 else 0.0
    return chance, f"chance, ln {classes:,} = {chance:.5g}"


def _entropy(known: ConstantLevel | None, classes: int) -> float:
    """Return what the best constant output has at most, where that is less than chance; 0 where it is not known.

    Classes that were read once stand for those that were not read at all (Good and Turing).
    """
    if known is None or known.kind != "classes" or known.read < READ or classes < 2:
        return 0.0
    bound = known.level + 2 * known.error + known.unseen * math.log(classes)
    return bound if bound < math.log(classes) else 0.0
