"""Whether a series of readings falls: pure statistics."""

from __future__ import annotations

import itertools
import math
import statistics

FALL, CLEAR = 0.02, 0.1  # relative
HIGHER = 1.645  # standard deviations: by chance one series in twenty
CERTAIN = 2
SURE = 2.6  # standard deviations: by chance one series in two hundred
MANY_LOSSES = 300
FIRST, HIGH = 4, 3.0  # readings at the start; times the first one
JUMP, BEFORE_JUMP, TOOTH = 4, 3, 10  # times the readings before it; how many; readings from one to the next


def falls(before: list[float], after: list[float], certain: float = 0.0) -> bool:
    """Tell whether later readings are lower by more than their scatter, or (unless `certain` is given) by a tenth."""
    high, low = statistics.median(before), statistics.median(after)
    scatter = 1.4826 * statistics.median(abs(value - low) for value in after)  # a standard deviation, were it normal
    error = 1.2533 * scatter * math.sqrt(1 / len(before) + 1 / len(after))  # of the difference of two medians
    return high - low > max(FALL * abs(high), certain * error or min(CERTAIN * error, CLEAR * abs(high)))


def ranked(before: list[float], after: list[float]) -> float:
    """Return the Mann-Whitney statistic of two series, in standard deviations: above zero where the second is lower."""
    m, n = len(before), len(after)
    higher = sum((one > other) + 0.5 * (one == other) for one in before for other in after)
    return (higher - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def trend(values: list[float]) -> float:
    """Return the Mann-Kendall statistic of a series, in standard deviations: below zero where it falls."""
    values = values[:: 1 + len(values) // MANY_LOSSES]  # of which every pair is compared
    n = len(values)
    rises = sum((later > earlier) - (later < earlier) for k, earlier in enumerate(values) for later in values[k + 1 :])
    return rises / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)


def falls_anew(values: list[float]) -> bool:
    """Tell whether a loss has come far down again after each time that it jumped: what is learned changes."""
    ends = [k for k in range(BEFORE_JUMP, len(values)) if values[k] > JUMP * max(values[k - BEFORE_JUMP : k])]
    teeth = [values[start:end] for start, end in itertools.pairwise([0, *ends, len(values)])]
    long = [one for one in teeth if len(one) >= TOOTH]
    deep = [one for one in long if max(one[-BEFORE_JUMP:]) < statistics.median(one[:BEFORE_JUMP]) / JUMP]
    return len(long) > 1 and len(deep) == len(long) and max(values[-BEFORE_JUMP:]) < values[0] / JUMP


def came_back(values: list[float]) -> tuple[float, float, float] | None:
    """Return start, top and end of a series that rose clearly and ends no lower than it began; None for all others.

    It has risen where three readings in a row exceed a multiple of the first one, or where the first readings are lower
    than those that follow by more than chance explains.
    """
    last, tops = values[-(len(values) // 3) :], [min(values[k : k + BEFORE_JUMP]) for k in range(len(values) - 2)]
    top = max(tops)
    if top > HIGH * values[0] > 0:
        start = values[: next(k for k, value in enumerate(values) if value > HIGH * values[0])]
    else:
        start = values[: max(FIRST, len(values) // 10)]
        if ranked(start, values[len(start) : -len(last)]) > -SURE:
            return None
    if falls(start, last, CERTAIN) or ranked(start, last) > HIGHER or falls_anew(values):
        return None
    return statistics.median(start), top, statistics.median(last)


def stays_above(values: list[float], level: float) -> bool:
    """Tell whether a series ends above a level: its mean end, and its last third (by its mean, or by a sign test)."""
    last, end = values[-(len(values) // 3) :], values[-max(3, len(values) // 10) :]
    signs = sum((value > level) - (value < level) for value in last) / math.sqrt(len(last))
    error = statistics.stdev(last) / math.sqrt(len(last))
    return max(signs, (statistics.fmean(last) - level) / (error or math.inf)) > SURE and statistics.fmean(end) > level
