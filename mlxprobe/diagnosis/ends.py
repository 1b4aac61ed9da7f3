"""Where a loss ends: above that of a constant output, or back where it began."""

from __future__ import annotations

import math
import statistics

from mlxprobe.diagnosis.chance_level import READ
from mlxprobe.diagnosis.trends import CERTAIN, HIGHER, came_back, falls, ranked, stays_above, trend
from mlxprobe.protocol.facts.data import ConstantLevel
from mlxprobe.schema.enums import Severity

SQUARE = "square"  # a loss that has no classes
SEVERAL = 60  # readings

Told = tuple[str, Severity, dict[str, float]]


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
