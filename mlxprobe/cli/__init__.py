"""Arguments in, exit code out; the only room that prints."""

from __future__ import annotations

import signal

from mlxprobe.cli import docs, explore, gate, isolate, matrix, report, run, watch
from mlxprobe.cli.common import main

__all__ = ["entry_point", "main"]

for _command in (
    run.run,
    explore.list_,
    explore.show,
    explore.explain,
    explore.doctor,
    gate.gate,
    gate.envs,
    matrix.matrix,
    matrix.merge,
    matrix.bisect,
    watch.watch,
    isolate.isolate,
    report.report,
    docs.docs,
):
    main.add_command(_command)


def entry_point() -> None:
    """Run the command line; a SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(prog_name="mlxprobe")
