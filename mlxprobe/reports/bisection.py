"""A bisection's end for a terminal: pure."""

from __future__ import annotations

from mlxprobe.reports.phrases import finished
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.texts import one_line
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
            f"  {before}  {_told(found, before)}",
            f"  {found.first}  {_told(found, found.first)}",
        ]
    else:
        lines.append("interrupted; what is known is kept")
    lines += [f"  skipped {one}: {_told(found, one)}" for one in found.unclear]
    return finished("\n".join([*lines, "", f"to repeat or resume: {command}"]) + "\n")


def _told(found: Found, release: str) -> str:
    """Return what a release has shown, in one line."""
    return one_line(found.evidence.get(release, ""))
