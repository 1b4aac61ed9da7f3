"""The page of what errors of MLX's backends mean."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.errors import KNOWN, Known, address
from mlxprobe.reports.docs.prose import prose, table

ABOUT = (
    "`watch`, `run` and `attach` add these to a crash or an exception whose text they know, with what was seen before "
    'it; `mlxprobe explain "TEXT"` finds them. The causes are those of public threads, the best confirmed first. '
    "What is said of Metal, JACCL and MPI stems from threads alone: it was not seen here."
)
HEAD = ("name", "backend", "it means", "usual causes", "what to do", "reported in")


def pages() -> dict[str, str]:
    """Return the page by its path."""
    return {"reference/errors.md": "\n".join(_page())}


def _page() -> Iterator[str]:
    yield f"# Errors of MLX's backends\n\n{ABOUT}"
    yield from table(HEAD, map(_row, KNOWN))


def _row(row: Known) -> tuple[str, ...]:
    reported = ", ".join(f"[{thread}]({address(thread)})" for thread in row.threads)
    causes = "; ".join(map(prose, row.causes))
    return f"`{row.name}`", row.backend, prose(row.means), causes, prose(row.do), reported
