"""What the comparison with the correct loop (for that loop itself: with its NumPy reference) says of a run: pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.losses import fall, loss_deviation
from mlxprobe.schema.metrics import figures, result_distance, usual_step_s
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Expectation

NO_LEARNING_SHARE = 0.1  # of the correct loop's gain


@dataclass(frozen=True)
class Case:
    """What a verdict is judged from; `baseline` is the correct loop's observation, or the reference's for that loop."""

    seen: Observation
    expectation: Expectation
    baseline: Observation | None = None


Told = tuple[Outcome, str]


def learned_nothing(case: Case) -> Told | None:
    """Tell of a loop whose loss did not fall as the correct one's did."""
    seen, baseline = case.seen, case.baseline
    if seen.score is None:
        return _loss_stood_still(seen, baseline)
    ideal = seen if baseline is None or baseline.score is None or case.expectation.role is Role.CORRECT else baseline
    start = ideal.losses[0].value if ideal.losses else math.nan
    gain, best = start - seen.score, start - (ideal.score or 0.0)
    if case.expectation.role is Role.CORRECT and not best > NO_LEARNING_SHARE * abs(start):
        return Outcome.NO_LEARNING, f"the true loss is {seen.score:.3f} at the end, after {start:.3f} at the start"
    if gain < NO_LEARNING_SHARE * best:
        return Outcome.NO_LEARNING, (
            f"the true loss is {seen.score:.3f} at the end, after {start:.3f} at the start; "
            f"the correct loop brings it to {ideal.score:.3f}"
        )
    return None


def _loss_stood_still(seen: Observation, baseline: Observation | None) -> Told | None:
    """Judge by the losses that the program read, where its scenario declares no true loss."""
    mine, its = fall(seen), fall(baseline) if baseline is not None else None
    if baseline is None or mine is None or its is None or not its[0] - its[1] > NO_LEARNING_SHARE * abs(its[0]):
        return None
    start = mine[0] if _start_was_seen(seen, baseline) else its[0]
    if start - mine[1] >= NO_LEARNING_SHARE * (its[0] - its[1]):
        return None
    return Outcome.NO_LEARNING, (
        f"its loss is {mine[1]:.3f} at the end, after {mine[0]:.3f} at the start; "
        f"the correct loop's falls from {its[0]:.3f} to {its[1]:.3f}"
    )


def _start_was_seen(seen: Observation, baseline: Observation) -> bool:
    """Whether the first loss taken in is from steps in which the correct loop starts: a busy rank's may be later."""
    return seen.losses[0].step <= baseline.losses[len(baseline.losses) // 5].step


def differs(case: Case) -> Told | None:
    """Tell of a result or a loss path that is not the correct one's."""
    seen, baseline, allowed = case.seen, case.baseline, case.expectation.tolerance
    if baseline is None or not case.expectation.comparable:
        return None
    other = "the NumPy reference's" if case.expectation.role is Role.CORRECT else "the correct loop's"
    if baseline.result and not seen.result:
        return Outcome.WRONG, f"it returned nothing to compare with {other}"
    distance = result_distance(seen, baseline)
    if not distance <= allowed:
        return (
            Outcome.WRONG,
            f"its result is {distance:.2g} away from {other} (relative; {allowed:g} allowed){_and_figures(seen)}",
        )
    apart = loss_deviation(seen, baseline)
    if apart is not None and apart[1] > allowed:
        return (
            Outcome.WRONG,
            f"its loss leaves {other} at step {apart[0]} by {apart[1]:.2g} (relative){_and_figures(seen)}",
        )
    return None


def slow(case: Case) -> Told | None:
    """Tell of steps that take a multiple of the correct loop's."""
    factor, baseline = case.expectation.slow_factor, case.baseline
    if not factor or baseline is None:
        return None
    mine, its = usual_step_s(case.seen), usual_step_s(baseline)
    if mine and its and mine > factor * its:
        return Outcome.SLOW, (
            f"{1e3 * mine:.1f} ms a step, {mine / its:.1f} × the correct loop's {1e3 * its:.1f} ms "
            f"(slow from {factor:g} ×)"
        )
    return None


def _and_figures(seen: Observation) -> str:
    told = figures(seen)
    return f"; {told}" if told else ""
