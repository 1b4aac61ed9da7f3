"""The pages of what errors of MLX's backends mean, and of Metal's own facts."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.errors import KNOWN, Known, address
from mlxprobe.diagnosis.metal import FACTS, NEVER_RUN
from mlxprobe.reports.docs.markdown import prose, table

ABOUT = (
    "`watch`, `run` and `attach` add these to a crash or an exception whose text they know, with what was seen before "
    'it; `mlxprobe explain "TEXT"` finds them. The causes are those of public threads, the best confirmed first. '
    "What is said of Metal, JACCL and MPI stems from threads alone: it was not seen here."
)
ABOUT_METAL = (
    f"Training on a Mac: {NEVER_RUN}. `mlxprobe doctor` prints the figures of a Mac, `watch` warns there of "
    "steps of five seconds and longer, and `mlxprobe explain metal` shows this page."
)
HEAD = ("name", "backend", "it means", "usual causes", "what to do", "reported in")


def pages() -> dict[str, str]:
    """Return the pages by their paths."""
    return {"reference/errors.md": "\n".join(_page()), "reference/metal.md": "\n".join(_metal())}


def _metal() -> Iterator[str]:
    yield f"# Metal\n\n{ABOUT_METAL}"
    told = ((f"`{one.name}`", prose(one.says), prose(one.do), ", ".join(map(_link, one.sources))) for one in FACTS)
    yield from table(("name", "it is so", "what to do", "written in"), told)


def _link(source: str) -> str:
    return f"[{source.split('/')[2]}]({source})"


def _page() -> Iterator[str]:
    yield f"# Errors of MLX's backends\n\n{ABOUT}"
    yield from table(HEAD, map(_row, KNOWN))


def _row(row: Known) -> tuple[str, ...]:
    reported = ", ".join(f"[{thread}]({address(thread)})" for thread in row.threads)
    causes = "; ".join(map(prose, row.causes))
    return f"`{row.name}`", row.backend, prose(row.means), causes, prose(row.do), reported
