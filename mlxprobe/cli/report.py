"""`mlxprobe report`: one HTML file of one record or many, or their text."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from mlxprobe.cli.common import NamedPath, check_output, foreign, tell, with_settings
from mlxprobe.schema.texts import fenced, lines
from mlxprobe.settings.table import resolve

PAGE = Path("report.html")


@click.command()
@click.argument("files", nargs=-1, required=True, type=NamedPath(path_type=Path), metavar="RECORD...")
@click.option(
    "--format",
    "form",
    type=click.Choice(("html", "text", "markdown", "json")),
    default="html",
    help="Form of the report (default: html).",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write the report to this file (default: {PAGE} for html, else the terminal).",
)
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--records",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each record to this folder, as a baseline for `mlxprobe gate`; a page too where --output names one.",
)
@with_settings("scenarios")
def report(
    files: tuple[Path, ...], form: str, output: Path | None, opened: bool, folder: Path | None, **flags: Any
) -> None:
    """Make one HTML page of records, or show their text.

    RECORD is JSON of `run`, `watch` or `matrix`, a baseline of `gate`, or the bundle of `selftest`. The page needs
    nothing from outside; of several records it shows where outcomes change, and how time and memory do.
    """
    from mlxprobe.cli import report_inputs
    from mlxprobe.reports import FORMATS
    from mlxprobe.schema.record_io import keep_baseline, write
    from mlxprobe.upgrade.history import read

    paged = form == "html"
    output = output or (PAGE if paged and (opened or folder is None) else None)
    check_output(output, *files)
    records, skipped, doctors = read(files)
    if folder is not None:
        for record in records:
            tell(str(keep_baseline(record, folder)))
        if paged and output is None:
            return
    with foreign(files):
        if paged:
            page = report_inputs.page(records, resolve(flags).scenarios, skipped)
        else:
            parts = [*said_by_doctor(doctors, form), *map(FORMATS[form], records)]
            several = form == "json" and len(parts) > 1
            page = f"[{','.join(parts)}]\n" if several else "\n".join(parts)
    if output is None:
        click.echo(page, nl=False)
        return
    write(output, page.encode())
    tell(f"{output}: {len(page) / 1e6:.1f} MB")
    if opened and paged:
        webbrowser.open(output.resolve().as_uri())


def said_by_doctor(texts: Sequence[str], form: str) -> Iterator[str]:
    """Yield the texts of `doctor` on the machines that bundles are from."""
    for said in map(lines, texts if form != "json" else ()):
        yield fenced(said) if form == "markdown" else said
