"""The figures of programs as series for the charts: pure. What a chart looks like stands in static/charts.json."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mlxprobe.reports.diagnosis import figure
from mlxprobe.reports.html.escape import visible
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Value
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.upgrade.metric_comparison import peak_bytes, usual_step_s

Point = tuple[Any, float]  # x is a number, or a release
Moment = tuple[float, str]
MAX_POINTS = 160  # points of a series; more are indistinguishable at a chart's width
WIDE = 500  # the ratio from which a linear axis hides the small values
MIN_POINTS = 3


class Kind(Value, frozen=True):
    """A chart: its title, its axes, and how its series are read off a program."""

    key: str
    title: str
    x: str
    y: str
    points: Callable[[ProgramRecord], Iterable[Point]]
    zero: bool = True


def _steps(one: ProgramRecord) -> Iterator[Point]:
    first = max(one.steps - len(one.step_s), 0) + 1
    return ((first + k, 1e3 * step_s) for k, step_s in enumerate(one.step_s))


def _losses(one: ProgramRecord) -> Iterator[Point]:
    return ((reading.step, reading.value) for reading in one.losses if reading.stream == one.losses[0].stream)


def _resident(one: ProgramRecord) -> Iterator[Point]:
    return ((sample.t_s, sample.rss_bytes / 1e6) for sample in one.samples)


def _active(one: ProgramRecord) -> Iterator[Point]:
    return ((sample.t_s, sample.active_bytes / 1e6) for sample in one.memory)


def _cache(one: ProgramRecord) -> Iterator[Point]:
    return ((sample.t_s, sample.cache_bytes / 1e6) for sample in one.memory)


KINDS = (
    Kind("loss", "Loss", "step", "loss", _losses, zero=False),
    Kind("steps", "Step times", "step", "ms", _steps),
    Kind("pending", "Pending operations", "step", "operations", lambda one: one.pending.items()),
    Kind("resident", "Resident memory", "seconds", "MB", _resident),
    Kind("active", "MLX active memory", "seconds", "MB", _active),
    Kind("cache", "MLX cache", "seconds", "MB", _cache),
)


def charts(programs: Sequence[ProgramRecord]) -> list[dict[str, Any]]:
    """Return the charts of one scenario's programs that have something to show, all programs in the same axes."""
    drawn = []
    for kind in KINDS:
        read = [[(x, y) for x, y in kind.points(one) if math.isfinite(float(x))] for one in programs]
        known = [[point for point in points if math.isfinite(point[1])] for points in read]
        if max(map(len, known), default=0) >= MIN_POINTS and any(y for points in known for _, y in points):
            drawn.append(_chart(kind, programs, list(map(thinned, known)), list(_marks(kind, programs, read))))
    return drawn


def _chart(
    kind: Kind, programs: Sequence[ProgramRecord], series: list[list[Point]], marks: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "key": kind.key,
        "title": kind.title,
        "x": kind.x,
        "y": kind.y,
        "scale": _scale(kind, [y for points in series for _, y in points]),
        "zero": kind.zero,
        "series": [{"x": [_short(x) for x, _ in one], "y": [_short(y) for _, y in one]} for one in series],
        "marks": marks,
        "told": visible(_told(kind, programs, series)),
    }


def _scale(kind: Kind, values: list[float]) -> str:
    """Choose an axis on which all values can be read."""
    least, most = min(values), max(values)
    if kind.key not in {"loss", "steps"} or most < WIDE * max(abs(least), 1e-9):
        return "linear"
    return "log" if least > 0 else "symlog"


def _marks(kind: Kind, programs: Sequence[ProgramRecord], series: list[list[Point]]) -> Iterator[dict[str, Any]]:
    """Mark where programs fell silent, were ended, or ended badly; and where a loss was no number any more."""
    for k, (one, points) in enumerate(zip(programs, series, strict=True)):
        if not points:
            continue
        if kind.key == "loss" and (gone := [(x, y) for x, y in points if not math.isfinite(y)]):
            yield {"n": k, "x": gone[0][0], "what": str(gone[0][1])}
        for x, what in _moments(one) if kind.x == "seconds" else _last_step(one):
            yield {"n": k, "x": _short(x), "what": what}


def _moments(one: ProgramRecord) -> Iterator[Moment]:
    if one.detection_s is not None:
        if one.outcome is Outcome.HANG and one.limits is not None:
            yield max(one.detection_s - one.limits.stall_s, 0.0), "silent"
        yield one.detection_s, "killed"
    elif one.outcome in (Outcome.ERROR, Outcome.CRASH):
        yield one.wall_s, str(one.outcome)


def _last_step(one: ProgramRecord) -> Iterator[Moment]:
    if one.outcome in (Outcome.HANG, Outcome.MEMORY, Outcome.ERROR, Outcome.CRASH) and one.steps:
        yield one.steps, str(one.outcome)


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most so many points as can be told apart: of each stretch the least and the greatest."""
    if len(points) <= MAX_POINTS:
        return list(points)
    kept = {0, len(points) - 1}
    stretch = math.ceil(len(points) / (MAX_POINTS // 2 - 1))
    for begin in range(0, len(points), stretch):
        part = range(begin, min(begin + stretch, len(points)))
        kept |= {min(part, key=lambda k: points[k][1]), max(part, key=lambda k: points[k][1])}
    return [points[k] for k in sorted(kept)]


def _short(value: float | str) -> float | int | str:
    """Return a value in as few figures as a chart can show."""
    if isinstance(value, str):
        return value
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _told(kind: Kind, programs: Sequence[ProgramRecord], series: list[list[Point]]) -> str:
    """Say in words what a chart shows, for those who cannot see it."""
    parts = [
        f"{one.label}: {figure(points[0][1])} to {figure(points[-1][1])}"
        for one, points in zip(programs, series, strict=True)
        if points
    ]
    return f"{kind.title} in {kind.y} by {kind.x}. {'; '.join(parts)}."


def _one(value: float | None, factor: float) -> list[Point]:
    return [] if value is None else [("", value * factor)]


def _waiting(one: ProgramRecord) -> list[Point]:
    return [(step, float(count)) for step, count in one.pending.items()][-1:]


TRENDS = (
    Kind("time", "Time of a usual step", "release", "ms", lambda one: _one(usual_step_s(one), 1e3)),
    Kind("peak", "Peak memory as MLX counts it", "release", "MB", lambda one: _one(peak_bytes(one), 1e-6)),
    Kind("waiting", "Pending operations at the last look", "release", "operations", _waiting),
)


def trends(rows: Sequence[Sequence[ProgramRecord | None]], releases: Sequence[str]) -> list[dict[str, Any]]:
    """Return the charts of one scenario along releases; `rows` has a row per program, a cell per release."""
    shown = [next(one for one in reversed(row) if one is not None) for row in rows]
    drawn = []
    for kind in TRENDS:
        series: list[list[Point]] = [
            [(release, y) for release, one in zip(releases, row, strict=True) if one for _, y in kind.points(one)]
            for row in rows
        ]
        if any(y for points in series for _, y in points):
            drawn.append(_chart(kind, shown, series, []) | {"order": list(releases)})
    return drawn
