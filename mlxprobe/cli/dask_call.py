"""`mlxprobe cell`: what a cluster's worker starts for each call that it carries out."""

from __future__ import annotations

import click


@click.command(hidden=True)
@click.argument("fd", type=int)
def cell(fd: int) -> None:
    """Carry out the call that comes in on the descriptor FD."""
    from mlxprobe.cluster.call_process import serve

    serve(fd)
