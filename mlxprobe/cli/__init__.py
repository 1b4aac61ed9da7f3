"""Arguments in, exit code out; the only room that prints."""

from __future__ import annotations

import signal

from mlxprobe.cli import documents, explore, gates, grids, isolates, pages, runs, watches
from mlxprobe.cli.common import main

__all__ = ["entry_point", "main"]

for _command in (
    runs.run,
    explore.list_,
    explore.show,
    explore.explain,
    explore.doctor,
    gates.gate,
    gates.envs,
    grids.matrix,
    grids.merge,
    grids.bisect,
    watches.watch,
    isolates.isolate,
    pages.report,
    documents.docs,
):
    main.add_command(_command)


def entry_point() -> None:
    """Run the command line; a SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(prog_name="mlxprobe")
