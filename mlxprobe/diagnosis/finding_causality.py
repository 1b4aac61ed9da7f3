"""Which finding explains which: pure. What follows from another is told beneath it, and counts as before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from mlxprobe.rules.registry import RULES
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.record import Finding

GRAVEST_FIRST = list(Severity)
HALF = 0.5


def always(cause: Finding, effect: Finding) -> bool:
    """Tell that nothing but the two codes matters."""
    return True


def proved(cause: Finding, effect: Finding) -> bool:
    """Tell whether the cause is an error."""
    return cause.severity is Severity.ERROR


def earlier(cause: Finding, effect: Finding) -> bool:
    """Tell whether the cause was seen at the step of its effect, or before."""
    return cause.evidence.get("step", 0) <= effect.evidence.get("step", 0)


def before(cause: Finding, effect: Finding) -> bool:
    """Tell whether the cause was seen before the step of its effect."""
    return cause.evidence.get("step", math.inf) < effect.evidence.get("step", 0)


def rate_not_finite(cause: Finding, effect: Finding) -> bool:
    """Tell whether a learning rate was NaN or infinite."""
    return proved(cause, effect) and "update" in cause.evidence


def schedule_restarted(cause: Finding, effect: Finding) -> bool:
    """Tell whether a warm-up was never left because each new optimizer begins it anew."""
    return "span" in cause.evidence and "warmup" in effect.evidence


def overflows(cause: Finding, effect: Finding) -> bool:
    """Tell whether numbers have become too large for their type, after some steps."""
    return effect.evidence.get("overflow", 0) > 0 and effect.evidence.get("arose", 0) > 1


def misgiven(cause: Finding, effect: Finding) -> bool:
    """Tell whether a loss was given numbers that it does not take: it may have no lowest value."""
    return "misgiven" in cause.evidence


def padding_learned(cause: Finding, effect: Finding) -> bool:
    """Tell whether an argument that does not reach the loss can be why padding carries it."""
    return "padding" in effect.evidence


def traced_as_often(cause: Finding, effect: Finding) -> bool:
    """Tell whether what took long to compile was compiled about as often as the cause says."""
    return effect.evidence.get("traces", 0) >= max(2.0, 0.5 * cause.evidence.get("traces", math.inf))


def signs_alone(cause: Finding, effect: Finding) -> bool:
    """Tell whether gradients clipped element by element can be why outputs hardly differ."""
    return "share" in cause.evidence and "deviation" in effect.evidence


def dropped(cause: Finding, effect: Finding) -> bool:
    """Tell whether an optimizer got gradients that were to be clipped as they were."""
    return "times" in cause.evidence


def hardly_moved(cause: Finding, effect: Finding) -> bool:
    """Tell whether clipping leaves too little of all updates to go anywhere, or their signs alone."""
    return "way" in cause.evidence or "share" in cause.evidence


def most_dropped(cause: Finding, effect: Finding) -> bool:
    """Tell whether at least half of the gradient calls of a step are dropped, again and again."""
    return cause.evidence.get("dropped", 0) >= HALF


def most_at_zero(cause: Finding, effect: Finding) -> bool:
    """Tell whether at least half of the gradients are zero, and the loss did not rise: nothing moves it then."""
    return "top" not in effect.evidence and cause.evidence.get("zero", 0) >= HALF * cause.evidence.get(
        "gradients", math.inf
    )


def rows_kept(cause: Finding, effect: Finding) -> bool:
    """Tell whether what is given has more rows at every call, those before among them: each is another shape."""
    return "last_rows" in cause.evidence


def nothing_kept(cause: Finding, effect: Finding) -> bool:
    """Tell whether no container grows with the memory: each trace keeps its constants."""
    return "arrays" not in effect.evidence


def kept_by_traces(cause: Finding, effect: Finding) -> bool:
    """Tell whether most of the arrays that become more are those of traces."""
    return effect.evidence.get("traced_per_step", 0) > effect.evidence.get("per_step", 0) / 2


@dataclass(frozen=True)
class Cause:
    """A code that explains another; `when` is asked with both findings."""

    code: str
    when: Callable[[Finding, Finding], bool] = always


# What follows, and from what, the most direct cause first. No circle: MP209 raises at a model that MP206 tells of, but
# not the other way round. A note explains nothing but notes.
FOLLOWS: dict[str, tuple[Cause, ...]] = {
    "MP101": (Cause("MP104"), Cause("MP501")),
    "MP102": (Cause("MP101"), Cause("MP105")),
    "MP103": (Cause("MP105"), Cause("MP109"), Cause("MP101"), Cause("MP502", nothing_kept)),
    "MP106": (Cause("MP501"),),
    "MP114": (Cause("MP101"), Cause("MP105"), Cause("MP502", kept_by_traces)),
    "MP201": (Cause("MP206"), Cause("MP207"), Cause("MP208"), Cause("MP216")),
    "MP205": (Cause("MP209"), Cause("MP206"), Cause("MP501"), Cause("MP504"), Cause("MP201", proved), Cause("MP207")),
    "MP207": (
        Cause("MP210", rate_not_finite),
        Cause("MP302"),
        Cause("MP304"),
        Cause("MP208", earlier),
        Cause("MP203", overflows),
        Cause("MP702", before),
    ),
    "MP208": (
        Cause("MP203"),
        Cause("MP212", dropped),
        Cause("MP403"),
        Cause("MP401", proved),
        Cause("MP302", misgiven),
        Cause("MP304", proved),
        Cause("MP702", before),
    ),
    "MP209": (Cause("MP206"),),
    "MP210": (Cause("MP402", schedule_restarted),),
    "MP301": (Cause("MP303"),),
    "MP332": (Cause("MP110"),),
    "MP306": (
        *map(
            Cause,
            (
                "MP209",
                "MP206",
                "MP501",
                "MP504",
                "MP207",
                "MP208",
                "MP210",
                "MP213",
                "MP216",
                "MP217",
                "MP301",
                "MP303",
                "MP310",
                "MP313",
                "MP314",
            ),
        ),
        Cause("MP201", most_at_zero),
        Cause("MP304", proved),
        Cause("MP204", most_dropped),
        Cause("MP110"),
        Cause("MP302"),
        Cause("MP212", hardly_moved),
    ),
    "MP308": (Cause("MP301", padding_learned),),
    "MP339": (Cause("MP216"), Cause("MP302", misgiven)),
    "MP340": (Cause("MP216"), Cause("MP302", misgiven)),
    "MP341": (Cause("MP212", signs_alone), Cause("MP216"), Cause("MP302", misgiven)),
    "MP404": (Cause("MP210", rate_not_finite), Cause("MP207", proved)),
    "MP502": (Cause("MP109", rows_kept),),
    "MP505": (Cause("MP109", rows_kept), Cause("MP502", traced_as_often)),
    "MP603": (*map(Cause, ("MP601", "MP701", "MP702", "MP703", "MP704", "MP708")),),
    "MP701": (Cause("MP704"), Cause("MP702", proved)),
    "MP704": (Cause("MP702", proved),),
    "MP705": (Cause("MP702", before), Cause("MP701", before)),
    "MP707": (Cause("MP704"),),
}
ONE_CAUSE = {"MP204", "MP602"}  # seen at several places, these have one cause all the same


def explained(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return each cause once, in the given order, and with each finding the code that it follows from.

    Findings of one code are joined where they have the same line, follow from the same cause, or have but one cause.
    """
    alone = joined(found, lambda one: (one.file, one.line) if one.file and one.code not in ONE_CAUSE else one.code)
    told = [msgspec.structs.replace(one, follows=cause_of(one, alone)) for one in alone]
    return tuple(joined(told, lambda one: one.follows or id(one)))


def cause_of(effect: Finding, found: Iterable[Finding]) -> str:
    """Return the code of what explains a finding; empty where nothing does."""
    known = [one for one in found if effect.severity is Severity.NOTE or one.severity is not Severity.NOTE]
    declared = (Cause(one.code) for one in RULES.values() if effect.code in one.explains)
    causes = (*FOLLOWS.get(effect.code, ()), *declared)
    pairs = ((cause, one) for cause in causes for one in known if one.code == cause.code)
    return next((one.code for cause, one in pairs if cause.when(one, effect)), "")


def joined(found: Iterable[Finding], same: Callable[[Finding], object]) -> list[Finding]:
    """Join findings of one code that are the `same`: the gravest stands for all, and names the others."""
    groups: dict[tuple[str, object], list[Finding]] = {}
    for one in found:
        groups.setdefault((one.code, same(one)), []).append(one)
    return [join(group) for group in groups.values()]


def join(group: list[Finding]) -> Finding:
    """Return the gravest of a group, with what the others say besides, and where."""
    chief = min(group, key=lambda one: GRAVEST_FIRST.index(one.severity))
    others = [one for one in group if one is not chief]
    here, there = [chief.message], []
    for one in others:
        if (one.file, one.line) != (chief.file, chief.line) and one.file:
            there.append(f"{one.file.rpartition('/')[2]}:{one.line}")
        elif one.message not in here:
            here.append(one.message)
    message = "; ".join([*here, *([f"the same at {', '.join(there)}"] if there else [])])
    evidence = {name: value for one in reversed(group) for name, value in one.evidence.items()} | chief.evidence
    return msgspec.structs.replace(chief, message=message, evidence=evidence) if others else chief
