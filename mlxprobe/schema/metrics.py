"""What can be read off an Observation in figures and phrases: pure."""

from __future__ import annotations

import itertools
import math
import re
import signal
import statistics
from collections.abc import Sequence

import msgspec

from mlxprobe.schema.enums import Whose
from mlxprobe.schema.losses import path
from mlxprobe.schema.observation import Frame, Observation, Place, Stack, Step

NATIVE_CALLS = 4  # those further out are the bindings'


def counted_steps(seen: Observation) -> tuple[Step, ...]:
    """Return the steps that the report counts: gradient calls before the first update belong to that update's step.

    Until an optimizer updates, each gradient call is recorded as a step; the numbers begin again at the first update.
    """
    steps = seen.steps
    first = next((k for k in range(1, len(steps)) if steps[k].n <= steps[k - 1].n), 0)
    if not first:
        return steps
    calls, update = steps[:first], steps[first]
    whole = sum(one.step_s for one in (*calls, update))
    if calls[-1].n - calls[0].n + 1 > len(calls):  # the series is thinned
        whole = update.t_s - calls[0].t_s + calls[0].step_s
    gradients = update.gradients + calls[-1].n
    return msgspec.structs.replace(update, step_s=whole, gradients=gradients), *steps[first + 1 :]


def steady_steps(seen: Observation) -> list[float]:
    """Return the seconds of each step but the first two, which also build and compile."""
    return [step.step_s for step in counted_steps(seen)[2:]]


def usual_s(step_s: Sequence[float]) -> float:
    """Return the median of the seconds of steps, without the first two, which also build and compile."""
    return statistics.median(step_s[2:] or step_s)


def usual_step_s(seen: Observation) -> float | None:
    """Return the time that a quarter of the steady steps stay below; None with fewer than two.

    What else the machine does only ever makes steps longer, so a low quantile is steadier than the median.
    """
    steps = steady_steps(seen)
    return statistics.quantiles(steps, n=4)[0] if len(steps) > 1 else None


def steps_done(seen: Observation) -> int:
    """Return the number of the last step that was complete."""
    return seen.steps[-1].n if seen.steps else 0


def still(seen: Observation) -> bool:
    """Check whether each model's losses are all the same, to the last bit."""
    return len({(one.stream, one.value) for one in seen.losses}) == len({one.stream for one in seen.losses})


def stepped_s(seen: Observation) -> float:
    """Return the seconds from the first step's start to the last one's end."""
    return seen.steps[-1].t_s - seen.steps[0].t_s + seen.steps[0].step_s if seen.steps else 0.0


def growth_bytes(seen: Observation) -> float:
    """Return how far resident memory rose while the program's body ran."""
    until_s = seen.finished_s or math.inf
    after = [sample.rss_bytes for sample in seen.samples if seen.begun_s <= sample.t_s <= until_s]
    return float(max(after) - after[0]) if after else 0.0


def active_floors(seen: Observation, parts: int = 4) -> list[int]:
    """Return the memory of MLX's arrays that a quarter of the steps stay below, in each of the parts of the run.

    What a step needs comes and goes, and the last may be closed when all is gone.
    """
    active = [step.active_bytes for step in seen.steps if step.active_bytes]
    part = len(active) // parts
    return [sorted(active[k * part : (k + 1) * part])[part // 4] for k in range(parts)] if part else []


def growth_per_step(seen: Observation) -> float:
    """Return by how many bytes the memory of MLX's arrays rose per step, the first quarter left out."""
    floors = active_floors(seen)
    return 2 * (floors[3] - floors[1]) / steps_done(seen) if floors else 0.0


def pending_slope(seen: Observation) -> float:
    """Return by how many operations the lazy graph of parameters and state grew per step, where it was looked at.

    It is the (lower) median from one look to the next: a jump, at the start or later, is no growth. What has been
    evaluated in between is none either.
    """
    known = [(step.n, step.pending) for step in seen.steps if step.pending is not None]
    slopes = [(p2 - p1) / (n2 - n1) for (n1, p1), (n2, p2) in itertools.pairwise(known) if n2 > n1]
    slope = statistics.median_low(slopes) if len(slopes) > 1 else 0.0
    (n1, p1), (n2, p2) = (known[0], known[-1]) if known else ((0, 0), (0, 0))
    return slope if 2 * (p2 - p1) >= slope * (n2 - n1) else 0.0


def pending_work(seen: Observation) -> str:
    """Say how much work waits in the lazy graph, in operations and in steps; empty where it does not grow."""
    slope, steps = pending_slope(seen), steps_done(seen)
    if slope < 10:
        return ""
    return f"about {round(slope * steps, -2):,.0f} operations pending, {steps} steps' worth"


def mean(values: list[float]) -> float:
    """Return the mean of values that may be as large as floats are, or infinite; NaN where it is not defined."""
    return sum(one / len(values) for one in values)


def result_distance(seen: Observation, baseline: Observation) -> float:
    """Estimate |a - b| / |b| over all arrays of two results from their projections; infinite where names differ."""
    if not baseline.result:
        return 0.0
    if seen.result.keys() != baseline.result.keys():
        return math.inf
    squares, norm = 0.0, 0.0
    for name, (length, *projections) in baseline.result.items():
        mine = seen.result[name][1:]
        squares += mean([(a - b) * (a - b) for a, b in zip(mine, projections, strict=True)])
        norm += length * length
    return math.sqrt(squares / norm) if norm else math.sqrt(squares)


def where(seen: Observation) -> str:
    """Name the line that the program stood at, with its text; a forked worker's before its parent's."""
    stacks = seen.silence.stacks if seen.silence else seen.stacks
    frame = standing_frame(stacks)
    if frame is None:
        return ""
    process = " of its forked child" if len({one.pid for one in stacks}) > 1 else ""
    return f"{told_place(frame, calling_frame(stacks))}{process}"


def told_place(frame: Frame, caller: Frame | None) -> str:
    """Say where a program stands, by the names of its files alone."""
    text = f" ({frame.code})" if frame.code else ""
    by = f", called from {_name(caller)}" if caller else ""
    return f"at {_name(frame)}{text}{by}"


def _name(frame: Frame) -> str:
    return f"{frame.file.rpartition('/')[2]}:{frame.line}"


def standing_thread(stacks: Sequence[Stack]) -> Stack | None:
    """Return the stack of the main thread, which is reported last, of the youngest process."""
    last = max((stack.pid for stack in stacks), default=0)
    return next((stack for stack in reversed(stacks) if stack.pid == last), None)


def standing_stack(stacks: Sequence[Stack]) -> tuple[Frame, ...]:
    """Return the frames of the main thread of the youngest process."""
    found = standing_thread(stacks)
    return found.frames if found else ()


def native_calls(stacks: Sequence[Stack]) -> str:
    """Name the native calls that the main thread of the youngest process is in, the outermost first."""
    found = standing_thread(stacks)
    names = [untemplated(frame.function) for frame in reversed(found.native if found else ())]
    return " → ".join(dict.fromkeys(names[-NATIVE_CALLS:]))


def native_call(frame: Frame) -> str:
    """Name a native call with its library; one without a name has it in its place."""
    library = frame.file.rpartition("/")[2]
    return frame.function if frame.function.startswith(f"{library}+") else f"{library} in {frame.function}"


def untemplated(name: str) -> str:
    """Leave out a C++ name's template arguments, which are longer than all else and name nothing of the program's."""
    before = ""
    while before != name:
        before, name = name, re.sub(r"(?<!operator)<[^<>]*>", "", name)
    return name


def standing_frame(stacks: Sequence[Stack]) -> Frame | None:
    """Return the innermost frame that is somebody's code; one that a library generated where there is no other."""
    frames = standing_stack(stacks)
    wanted = ({Whose.OWN, Whose.PACKAGE}, {Whose.GENERATED}, set(Whose))
    return next((one for kinds in wanted for one in frames if one.whose in kinds), None)


def calling_frame(stacks: Sequence[Stack]) -> Frame | None:
    """Return the user's own innermost frame where the program stands in an installed package."""
    frame = standing_frame(stacks)
    if frame is None or frame.whose is not Whose.PACKAGE:
        return None
    return next((one for one in standing_stack(stacks) if one.whose is Whose.OWN), None)


def standing(seen: Observation) -> tuple[str, int]:
    """Return file and line where the program stood at its last silence."""
    frame = standing_frame(seen.silence.stacks if seen.silence else ())
    return (frame.file, frame.line) if frame else ("", 0)


def callers(seen: Observation) -> dict[tuple[str, int], Place]:
    """Return the user's own line that led to a line in an installed package, for each that is known."""
    stacks = seen.silence.stacks if seen.silence else ()
    found: dict[tuple[str, int], Place] = {}
    if caller := calling_frame(stacks):
        found[standing(seen)] = Place(file=caller.file, line=caller.line)
    found |= {(one.file, one.line): one.caller for one in reversed(seen.sightings) if one.caller}
    raised = seen.raised
    return found | ({(raised.file, raised.line): raised.caller} if raised and raised.caller else {})


def is_users(frame: Frame) -> bool:
    """Check whether a frame is the user's own code or an installed package's."""
    return frame.whose in (Whose.OWN, Whose.PACKAGE)


def figures(seen: Observation) -> str:
    """Put a finished program's figures in one line."""
    parts = []
    if steps := steady_steps(seen):
        parts.append(f"{steps_done(seen)} steps, {1e3 * statistics.median(steps):.1f} ms a step")
    if len(seen.losses) > 1:
        parts.append(f"loss {path(seen.losses, seen.sheet.begun, seen.sheet.gradients, seen.sheet.names)}")
    if seen.score is not None:
        parts.append(f"true loss {seen.score:.3f}")
    return ", ".join(parts)


def is_programs(seen: Observation, error: str) -> bool:
    """Check whether an error is the one that ended the program, of which a detector may have the beginning."""
    return bool(error) and seen.raised is not None and f"{seen.raised.type}: {seen.raised.message}".startswith(error)


def last_line(text: str) -> str:
    """Return the last line that is not blank."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def signal_name(number: int) -> str:
    """Name a signal by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def duration(seconds: float) -> str:
    """Write a time in ms or s."""
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s" if seconds < 100 else f"{seconds:,.0f} s"


def megabytes(count: float) -> str:
    """Write a number of bytes in MB; in kB where that would be 0.1 MB or less."""
    if 0 < abs(count) < 1.5e5:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if abs(count) < 1e8 else f"{count / 1e6:.0f} MB"


def counted(number: int, word: str) -> str:
    """Write a number with its word: 1 run, 2 runs."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
