"""A bisection's end for a terminal: pure."""

from __future__ import annotations

from mlxprobe.reports.phrases import finished
from mlxprobe.schema.metrics import counted
from mlxprobe.upgrade.bisect import Found

MARKS = {"good": "✓", "bad": "✗", "skip": "–", "": "·"}


def render(found: Found, command: str) -> str:
    """Return the releases as a line with the boundary marked, the evidence on both sides, how to go on."""
    low, high = ("bad", "good") if found.find_fix else ("good", "bad")
    line = []
    for release in found.releases:
        if release == found.first:
            line.append("│")
        line.append(f"{release} {MARKS[found.answers.get(release, '')]}")
    lines = ["  ".join(line), ""]
    if found.first:
        before = next(
            one
            for one in reversed(found.releases[: found.releases.index(found.first)])
            if found.answers.get(one) == low
        )
        lines += [
            f"the first {high} release is {found.first} ({counted(found.probes, 'probe')})",
            f"  {before}  {found.evidence.get(before, '')}",
            f"  {found.first}  {found.evidence.get(found.first, '')}",
        ]
    else:
        lines.append("interrupted; what is known is kept")
    lines += [f"  skipped {one}: {found.evidence.get(one, '')}" for one in found.unclear]
    return finished("\n".join([*lines, "", f"to repeat or resume: {command}"]) + "\n")
