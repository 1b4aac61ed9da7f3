"""Observation, findings and expectation in; one outcome out. The order of CASES is the policy."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Sequence

from mlxprobe.protocol.facts.processes import Nonsense, PoolWorker
from mlxprobe.protocol.facts.work import AgentFailed
from mlxprobe.schema.enums import HangKind, Outcome, Role
from mlxprobe.schema.from_record import died_importing
from mlxprobe.schema.losses import first_lasting, unit
from mlxprobe.schema.metrics import (
    figures,
    growth_bytes,
    last_line,
    megabytes,
    native_calls,
    pending_work,
    result_distance,
    signal_name,
    steady_steps,
    steps_done,
    where,
)
from mlxprobe.schema.observation import Observation, Silence
from mlxprobe.schema.record import Expectation, Finding, Verdict
from mlxprobe.verdict.reference_comparison import Case, Told, differs, learned_nothing, slow
from mlxprobe.verdict.remarks import ASKED_TO_END, interrupted
from mlxprobe.verdict.rows import agreement

IDLE_CPU_SHARE = 0.05
Judge = Callable[[Case], "Told | None"]


def judge(
    seen: Observation, findings: Sequence[Finding], expectation: Expectation, baseline: Observation | None = None
) -> Verdict:
    """Return the verdict on an observation; any observation gives exactly one outcome.

    Args:
        seen: what was observed.
        findings: the diagnosis; missing ones of `expectation.finds` make the verdict unexpected.
        expectation: role, measured outcome and tolerances.
        baseline: the correct loop's observation, for comparison; None where there is none.
    """
    case = Case(seen, expectation, baseline)
    outcome, reason = next(told for told in (one(case) for one in CASES) if told is not None)
    reason, as_expected = agreement(outcome, reason, findings, expectation)
    return Verdict(
        outcome=outcome,
        reason=reason,
        kind=seen.silence.kind if outcome is Outcome.HANG and seen.silence else None,
        as_expected=as_expected,
    )


def _not_watched(case: Case) -> Told | None:
    seen = case.seen
    if seen.left_behind:
        return Outcome.UNJUDGED, f"processes {list(seen.left_behind)} could not be ended"
    if died_importing(seen):
        how = f"ended by {signal_name(-seen.exit_code)}" if seen.exit_code and seen.exit_code < 0 else "gone"
        return Outcome.CRASH, f"{how} while it imported MLX"
    if not seen.begun or seen.ended in ("not-started", "unreaped"):
        return Outcome.UNJUDGED, _not_begun(seen)
    if seen.garbled:
        return Outcome.UNJUDGED, f"{seen.garbled} of its events made no sense{_first_nonsense(seen)}"
    if seen.ended == "lost":
        return Outcome.UNJUDGED, "its events or its reaper were gone before it had ended"
    return None


def _not_begun(seen: Observation) -> str:
    if seen.ended == "memory":
        return f"it reached its memory limit of {megabytes(seen.limits.memory_bytes)} before it imported MLX"
    if seen.ended == "timeout":
        return f"it reached its time limit of {seen.limits.timeout_s:g} s before it imported MLX"
    failed = next((fact.error for fact, _ in seen.every(AgentFailed)), "")
    return f"the agent did not start: {failed or last_line(seen.output_tail) or 'no word from it'}"


def _first_nonsense(seen: Observation) -> str:
    return next((f" (the first is {fact.line})" for fact, _ in seen.every(Nonsense)), "")


def _not_ended(case: Case) -> Told | None:
    if interrupted(case.seen):
        return Outcome.UNJUDGED, f"interrupted {_at_step(case.seen)}; what was found by then is reported"
    if case.seen.ended == "abandoned":
        return (
            Outcome.UNJUDGED,
            f"still running {_at_step(case.seen)} when what had started it ended; it was ended then",
        )
    return (Outcome.UNJUDGED, f"still running, {_at_step(case.seen)}") if case.seen.ended == "running" else None


def _memory_limit(case: Case) -> Told | None:
    seen = case.seen
    if seen.ended != "memory":
        return None
    peak = max((sample.rss_bytes for sample in seen.samples), default=0)
    active = max((sample.peak_bytes for sample in seen.memory), default=0)  # all that a long evaluation shows
    if 0 < seen.limits.active_bytes < active:
        return Outcome.MEMORY, (
            f"{megabytes(active)} held by MLX's arrays at step {steps_done(seen)}, over the limit of "
            f"{megabytes(seen.limits.active_bytes)}{_basis(seen)}"
        )
    each = growth_bytes(seen) / max(1, steps_done(seen))
    return Outcome.MEMORY, (
        f"{megabytes(peak)} of resident memory at step {steps_done(seen)}, over its limit of "
        f"{megabytes(seen.limits.memory_bytes)}{_basis(seen)}; it had grown by {megabytes(each)} a step"
    )


def _stalled(case: Case) -> Told | None:
    seen = case.seen
    if seen.ended != "stalled":
        return None
    silence = seen.silence or Silence(silent_s=seen.limits.stall_s, cpu_s=0.0, kind=HangKind.UNKNOWN)
    kind = silence.kind
    parts = [f"{kind}: silent for {silence.silent_s:.1f} s {where(seen)}{_after_its_end(seen)}".rstrip()]
    if kind is HangKind.DEADLOCK:
        parts.append(_asleep(silence))
    elif kind is HangKind.STALL:
        parts.append(f"{silence.cpu_s:.1f} s of CPU used")
    if silence.waits:
        parts.append(f"it waits for {silence.waits}")
    if calls := native_calls(silence.stacks):
        parts.append(f"native calls: {calls}")
    if work := pending_work(seen):
        parts.append(work)
    if case.baseline is not None and (steps := steady_steps(case.baseline)):
        parts.append(f"the correct loop's slowest step took {max(steps):.3f} s")
    return Outcome.HANG, "; ".join(parts)


def _asleep(silence: Silence) -> str:
    if not silence.threads:
        return "no CPU used, every stack unchanged"
    all_asleep = "its only thread asleep" if silence.threads == 1 else f"all {silence.threads} threads asleep"
    return f"{all_asleep} for {silence.rest_s:.1f} s without a break, every stack unchanged"


def _timed_out(case: Case) -> Told | None:
    if case.seen.ended != "timeout":
        return None
    seen = case.seen
    done = f"{_at_step(seen)} when its {seen.limits.timeout_s:g} s were up"
    if seen.silence is None:
        return Outcome.SLOW, f"still moving {done}"
    idle = seen.silence.cpu_s < IDLE_CPU_SHARE * seen.silence.silent_s
    used = "and no CPU" if idle else f"but {seen.silence.cpu_s:.0f} s of CPU"
    place = where(seen)
    return Outcome.SLOW, f"no progress {used} for the last {seen.silence.silent_s:.0f} s{place and ' '}{place}, {done}"


def _crashed(case: Case) -> Told | None:
    seen = case.seen
    asked = seen.exit_code is not None and -seen.exit_code in ASKED_TO_END
    if seen.ended == "enough" or _ended_by_its_pool(seen):
        return None
    if seen.raised is not None and asked:  # a launcher's, who had heard of it: how it began says more
        return None
    if seen.exit_code is not None and seen.exit_code < 0:
        return Outcome.CRASH, f"ended by {signal_name(-seen.exit_code)} {where(seen)}".rstrip()
    if not seen.finished and seen.raised is None:
        if seen.exit_code is None:
            return Outcome.CRASH, f"gone without a word {_at_step(seen)}: killed, or left past Python's own ending"
        how = "by os._exit" if seen.left else "past Python's own end"
        return Outcome.CRASH, f"left with exit code {seen.exit_code} {how}, at step {steps_done(seen)}"
    return None


def _ended_by_its_pool(seen: Observation) -> bool:
    """Check whether a worker was ended by `Pool.terminate`; a parent that is not watched reports no exit code."""
    return seen.exit_code in (None, -signal.SIGTERM) and seen.has(PoolWorker)


def _raised(case: Case) -> Told | None:
    seen = case.seen
    if seen.raised is not None:
        message = " ".join(seen.raised.message.split())
        return Outcome.ERROR, f"{seen.raised.type}: {message}"
    if seen.exit_code and seen.ended != "enough" and not _ended_by_its_pool(seen):
        return (
            Outcome.ERROR,
            f"exit code {seen.exit_code}; its output ends: {last_line(seen.output_tail)}".removesuffix(
                "; its output ends: "
            ),
        )
    return None


def _unreferenced(case: Case) -> Told | None:
    reference = case.baseline
    if case.expectation.role is Role.CORRECT and reference is not None and not reference.result:
        why = f"{reference.raised.type}: {reference.raised.message}" if reference.raised else "it returned nothing"
        return Outcome.UNJUDGED, f"the NumPy reference failed: {why}"
    return None


def _not_finite(case: Case) -> Told | None:
    bad = first_lasting(case.seen)
    if bad is not None:
        return Outcome.NAN, f"the loss of {unit(case.seen)} {bad.step} is {bad.value}"
    if case.seen.score is not None and not math.isfinite(case.seen.score):
        return Outcome.NAN, f"the true loss at the end is {case.seen.score}"
    if any(not math.isfinite(value) for values in case.seen.result.values() for value in values):
        return Outcome.NAN, "the result has values that are not finite"
    return None


def _passed(case: Case) -> Told:
    seen, baseline = case.seen, case.baseline
    parts = [figures(seen)]
    compares = case.expectation.comparable and case.expectation.role is not Role.CORRECT
    if baseline is not None and baseline.result and seen.result and compares:
        parts.append(f"result {result_distance(seen, baseline):.1g} from the correct loop's")
    return Outcome.PASS, "; ".join(part for part in parts if part) or "finished"


CASES: tuple[Judge, ...] = (
    _not_ended,
    _not_watched,
    _memory_limit,
    _stalled,
    _timed_out,
    _crashed,
    _raised,
    _unreferenced,
    _not_finite,
    learned_nothing,
    differs,
    slow,
    _passed,
)


def _at_step(seen: Observation) -> str:
    return f"at step {steps_done(seen)}" if seen.steps else "before the first training step"


def _after_its_end(seen: Observation) -> str:
    return ", after the program's end, at exit" if seen.finished else ""


def _basis(seen: Observation) -> str:
    return f" ({seen.limits.basis})" if seen.limits.basis else ""
