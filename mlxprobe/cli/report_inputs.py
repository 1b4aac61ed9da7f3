"""What the HTML report needs besides records: the scenarios' own words, and the charts' library."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlxprobe.catalogue import discovery
from mlxprobe.catalogue.discovery import Entry
from mlxprobe.reports.html import Guide, render_all, vega_bundle
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.record import Record
from mlxprobe.schema.record_io import write
from mlxprobe.settings.table import cache_folder


def page(records: Sequence[Record], folders: Sequence[str] = (), skipped: Mapping[str, str] | None = None) -> str:
    """Return the HTML report of records, the oldest release first, with the code of the scenarios in `folders` too.

    Raises:
        UsageError: the extra `report` is not installed.
    """
    return render_all(records, of_folders(folders), skipped, script(cache_folder()))


def guides(entries: Sequence[Entry]) -> list[Guide]:
    """Return the scenarios' docstrings and sources."""
    return [_guide(one) for one in entries]


def of_folders(folders: Sequence[str]) -> list[Guide]:
    """Return the guides of mlxprobe's own scenarios and of those in `folders`; unusable files are left out."""
    return guides(discovery.find(folders)[0])


def _guide(entry: Entry) -> Guide:
    symptom, cause, fix = (entry.section(word) for word in discovery.SECTIONS)
    source = entry.file.read_text(encoding="utf-8")
    return Guide(scenario=entry.name, source=source, correct=entry.correct.name, symptom=symptom, cause=cause, fix=fix)


def script(cache: Path) -> str:
    """Return the charts' library, made once per release of vl-convert and kept in `cache`.

    Raises:
        UsageError: vl-convert is not installed.
    """
    try:
        release = importlib.metadata.version("vl-convert-python")
    except importlib.metadata.PackageNotFoundError:
        return vega_bundle.bundle()
    file = cache / f"vega-{release}.js"
    try:
        if file.is_file():
            return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    made = vega_bundle.bundle()
    try:
        write(file, made.encode())
    except ProbeError:  # a cache that cannot be written costs a second each time
        pass
    return made
