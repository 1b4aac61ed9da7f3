"""What a loss is beside that of whoever knows nothing: chance, or the best constant."""

from __future__ import annotations

import math
import statistics

from mlxprobe.diagnosis.trends import HIGHER, trend
from mlxprobe.protocol.facts.data import ConstantLevel

UNIFORM = 1e-4  # from chance, relative: float32 has no more to say
NEAR_CHANCE, LONG = 0.01, 100  # relative, over the last two thirds of at least 100 gradient calls
ABOVE = 0.05  # relative
LEFT = 2e-3  # from chance at first: whoever starts there may only be slow to leave
READ = 200  # targets
KNOWING, GAIN = 0.5, 0.01  # of a constant's loss


def known_level(known: ConstantLevel | None, classes: int) -> float:
    """Return what a model that knows nothing has: the best constant's loss, or chance; 0 where neither is known."""
    level = known.level if known is not None and known.read >= READ else 0.0
    return max(level, math.log(classes) if classes > 1 else 0.0)


def knows(values: list[float], known: ConstantLevel | None, classes: int) -> bool:
    """Tell whether a loss lies far below what no knowledge has all the time: the model knows its targets."""
    level, error = known_level(known, classes), known.error if known is not None else 0.0
    return statistics.median(values) < KNOWING * level and max(values) < level - 2 * error


def at_chance(first: float, last: list[float], classes: int) -> bool:
    """Tell whether a cross-entropy has come from elsewhere to what uniform outputs over all classes give."""
    chance = math.log(classes) if classes > 1 else 0.0
    stays = all(abs(value - chance) <= UNIFORM * chance for value in last)
    return bool(chance) and stays and abs(first - chance) > LEFT * chance


def stays_near_chance(values: list[float], classes: int, calls: float) -> bool:
    """Tell whether readings over many calls lie within a hundredth of chance for the most part, and fall no more.

    One that came down from clearly above, and is not below chance by its end, may fall: it has learned nothing yet.
    Who begins nearer to it may only be slow.
    """
    chance = math.log(classes) if classes > 1 else 0.0
    rest = values[len(values) // 3 :]
    halves = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    near = all(abs(statistics.median(half) - chance) <= NEAR_CHANCE * chance for half in halves if half)
    if not chance or calls < LONG or not near:
        return False
    came_down = statistics.median(values[: max(3, len(values) // 20)]) > (1 + ABOVE) * chance
    return trend(rest) > -HIGHER or (came_down and statistics.median(halves[1]) >= (1 - LEFT) * chance)


def gains(known: ConstantLevel | None) -> bool:
    """Tell whether a model may be better than the best constant by a hundredth: by two errors, on the same batches."""
    return known is not None and known.gain + 2 * known.gain_error > GAIN * known.level
