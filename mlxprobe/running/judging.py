"""Judge what was seen of a user's program."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mlxprobe.diagnosis import diagnose, unchecked
from mlxprobe.running.selection import quoted
from mlxprobe.values.files import row
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Expectation, ProgramRecord, Verdict
from mlxprobe.values.vocabulary import Outcome
from mlxprobe.verdict.judge import judge
from mlxprobe.verdict.remarks import remarks


def judged(seen: Observation) -> ProgramRecord:
    """Return the program's row; what could not be checked is among the findings."""
    known = remarks(seen)
    if seen.ended in ("exited", "not-started") and seen.exit_code == 0 and not seen.finished:
        seen = msgspec.structs.replace(seen, finished=True)  # by os._exit, or without MLX
    expectation = Expectation()
    name = Path(seen.program).name
    if not seen.begun:
        why = "MLX was never imported (or Python ignores its environment: -I, -E, -S): nothing was watched"
        verdict = Verdict(outcome=Outcome.UNJUDGED, reason=why)
        return row(seen, (), verdict, expectation, known, program=name)
    findings = diagnose(seen)
    verdict = judge(seen, findings, expectation)
    return row(seen, (*map(quoted, findings), *unchecked(seen)), verdict, expectation, known, program=name)
