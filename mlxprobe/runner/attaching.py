"""Attach to a process: look at it, and say what that means.

What only judges is imported after the look, or while it waits.
"""

from __future__ import annotations

import mlxprobe
from mlxprobe.schema.live import LIVE_SCHEMA_VERSION, Attached, Looked
from mlxprobe.schema.record_io import now
from mlxprobe.supervisor.attach import Attachment


def attach(pid: int, limit_s: float | None = None) -> Attached:
    """Look at a process that runs already, and at all below it; see `Attachment`."""
    return told(Attachment(pid, limit_s).look())


def told(looked: Looked) -> Attached:
    """Say what a look means."""
    from mlxprobe.verdict.errors import in_log
    from mlxprobe.verdict.live import judge, standing_threads
    from mlxprobe.verdict.mlx_wait_state import standing, upstream

    state, reason = judge(looked)
    return Attached(
        live_schema_version=LIVE_SCHEMA_VERSION,
        mlxprobe=mlxprobe.__version__,
        time=now(),
        pid=looked.pid,
        state=state,
        reason=reason,
        looked=looked,
        standing=standing(looked, standing_threads(looked)),
        upstream=(*upstream(looked, state), *in_log(looked)),
    )
