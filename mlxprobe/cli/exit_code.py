"""The exit code that `mlxprobe watch` leaves with."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mlxprobe.cli.common import JUDGED_NOT

if TYPE_CHECKING:
    from mlxprobe.schema.record import ProgramRecord

SEVERITIES = ("never", "error", "warning", "note")


def exit_code(seen: Sequence[ProgramRecord], fail_on: str, ended: str, code: int | None) -> int:
    """Return the program's own exit `code`; 1 where we ended it, or where it ended well and was found too bad.

    The code is of the process that was started, which may be none of those that were seen.
    """
    from mlxprobe.schema.enums import Outcome, Severity

    graver = list(Severity)[: SEVERITIES.index(fail_on)]
    failed = any(found.severity in graver for one in seen for found in one.findings)
    if ended == "enough":
        return int(failed)
    outcomes = {one.outcome for one in seen}
    if outcomes & {Outcome.HANG, Outcome.MEMORY, Outcome.SLOW}:
        return 1
    if code is None:
        return JUDGED_NOT
    if code < 0:
        die_alike(-code)
    if fail_on != "never" and Outcome.UNJUDGED in outcomes and any(one.begun_s for one in seen):
        return code or JUDGED_NOT
    badly = fail_on != "never" and len(seen) > 1 and any(not one.completes for one in seen)
    return code or int(failed or badly)


def die_alike(number: int) -> None:
    """End by the signal that ended the program, so that whoever started us sees what it would have seen."""
    with suppress(OSError):
        sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # SIGKILL is what it is
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
