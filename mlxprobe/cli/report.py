"""`mlxprobe report`: one HTML file of one record or many."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

import click

from mlxprobe.cli.common import tell, with_settings
from mlxprobe.settings.table import resolve


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RECORD...")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="Write the page to this file.",
)
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@with_settings("scenarios")
def report(files: tuple[Path, ...], output: Path, opened: bool, **flags: Any) -> None:
    """Make one HTML page of records.

    RECORD is JSON of `run`, `watch` or `matrix`, or a baseline of `gate`. The page needs nothing from outside; of
    several records it shows where outcomes change, and how time and memory do.
    """
    from mlxprobe.cli import guides
    from mlxprobe.upgrade.history import read
    from mlxprobe.values.files import check_writable, write

    check_writable(output)
    records, skipped = read(files)
    page = guides.page(records, resolve(flags).scenarios, skipped)
    write(output, page.encode())
    tell(f"{output}: {len(page) / 1e6:.1f} MB")
    if opened:
        webbrowser.open(output.resolve().as_uri())
