"""What is known of the error that ended a program, and what was seen before it: pure."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from mlxprobe.diagnosis.errors import address, known, page
from mlxprobe.schema.live import Looked, Upstream
from mlxprobe.schema.metrics import counted, counted_steps, duration, growth_per_step, megabytes, steps_done
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Remark

KNOWN_ERROR = "known error"
MUCH_BYTES = 1e6
FEW_BYTES = 1e5  # a step: less is no growth
LENGTHS = 8  # so many shapes of batches are told
BY_OTHERS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)


def known_error(seen: Observation) -> Iterator[Remark]:
    """Tell what the error means that ended a program, where a row of the table fits its text."""
    row = next(filter(None, map(known, _texts(seen))), None)
    if row is None:
        yield from _unheard(seen)
        return
    before = "; ".join(_before(seen))
    told = f"; before it: {before}" if before else ""
    yield Remark(name=KNOWN_ERROR, message=f"{row.name} ({row.backend}): {page(row)}{told}", grave=False)


def in_log(looked: Looked) -> tuple[Upstream, ...]:
    """Return the error that the end of a process's stderr is known for."""
    row = known(looked.said)
    name = f"its stderr has {row.name} ({row.backend})" if row else ""
    return (Upstream(name=name, thread=address(row.threads[0]), message=page(row)),) if row else ()


def _unheard(seen: Observation) -> Iterator[Remark]:
    """Tell where the words of an abort stand that nobody but the terminal has got."""
    if seen.exit_code == -signal.SIGABRT and seen.raised is None and not seen.output_tail:
        message = (
            "what it said of that, if anything, is on its stderr, which mlxprobe does not see: "
            '`mlxprobe explain "THESE WORDS"`'
        )
        yield Remark(name="aborted", message=message, grave=False)


def _texts(seen: Observation) -> Iterator[str]:
    """List what a program said of its end, the surest first; of a traceback no line of its code."""
    if seen.raised is not None:
        yield f"{seen.raised.type}: {seen.raised.message}"
        yield "\n".join(line for line in seen.raised.traceback.splitlines() if not line.startswith(" "))
    elif seen.exit_code and not seen.finished and -seen.exit_code not in BY_OTHERS:  # who say nothing of it
        yield seen.output_tail


def _before(seen: Observation) -> Iterator[str]:
    if seen.steps:
        slowest = max(counted_steps(seen), key=lambda step: step.step_s)
        yield f"{counted(steps_done(seen), 'step')}, the slowest {duration(slowest.step_s)} at step {slowest.n}"
    for what in ("peak", "cache"):
        if (most := max((getattr(one, f"{what}_bytes") for one in seen.memory), default=0)) > MUCH_BYTES:
            yield f"{what} memory {megabytes(most)}"
    if (growth := growth_per_step(seen)) > FEW_BYTES:
        yield f"memory grew by {megabytes(growth)} a step"
    if (shapes := max(seen.sheet.shapes, len(seen.sheet.batches))) >= LENGTHS:
        yield f"batches of {shapes:,} shapes at the sampled steps"
