"""What errors of MLX's backends mean: a table of data, from public threads. Pure."""

from __future__ import annotations

import re

from mlxprobe.diagnosis.errors import cuda, loading, metal, ranks
from mlxprobe.diagnosis.errors.row import Known

__all__ = ["KNOWN", "Known", "address", "known", "page"]

KNOWN = (*metal.ROWS, *cuda.ROWS, *ranks.ROWS, *loading.ROWS)  # of two that match, the first


def known(text: str) -> Known | None:
    """Return what is known of an error by its text; None where it is nobody's."""
    return next((row for row in KNOWN if re.search(row.pattern, text)), None)


def page(row: Known) -> str:
    """Return a row in words, with its causes by number."""
    causes = "; ".join(f"({number}) {cause}" for number, cause in enumerate(row.causes, 1))
    return f"{row.means}; usual causes: {causes}; do: {row.do}; reported in {', '.join(row.threads)}"


def address(thread: str) -> str:
    """Return where a thread is read; GitHub leads from an issue's address to a pull request's."""
    repository, _, number = thread.partition("#")
    return f"https://github.com/{repository}/issues/{number}"
