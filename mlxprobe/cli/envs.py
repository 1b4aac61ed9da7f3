"""`mlxprobe envs`: the cached environments of releases."""

from __future__ import annotations

from pathlib import Path

import click

from mlxprobe.schema.errors import UsageError


@click.command()
@click.option(
    "--remove", "removed", metavar="RELEASE|all", multiple=True, help="Remove a release's environments; repeatable."
)
def envs(removed: tuple[str, ...]) -> None:
    """List the cached environments with size and age, or remove some.

    "unusable" is what an interrupted build left, or an environment whose description is damaged.
    """
    from mlxprobe.releases import environments
    from mlxprobe.schema.metrics import counted

    there = environments.installed()
    for name in removed:
        doomed = [one for one in there if name in ("all", one.release)]
        if not doomed:
            known = ", ".join(one.release for one in there) or "none"
            raise UsageError(f"--remove: no environment of {name!r} is cached; there are {known}")
        for one in doomed:
            environments.remove(Path(one.folder))
            click.echo(f"removed {one.folder}")
    if not removed:
        for one in there:
            python = f"Python {one.python}" if one.python else "unusable"
            age = f"{one.age_s / 86400:.0f} d" if one.age_s > 86400 else f"{one.age_s / 3600:.1f} h"
            click.echo(f"{one.release:10} {python:15} {one.size_bytes / 1e6:6.0f} MB  used {age} ago  {one.folder}")
        megabytes = sum(one.size_bytes for one in there) / 1e6
        click.echo(f"{counted(len(there), 'environment')}, {megabytes:.0f} MB, in {environments.root()}")
