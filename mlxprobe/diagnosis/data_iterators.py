"""Findings about where the data come from."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import UsedUp, WrittenTo
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP313", "used-up-data", Severity.WARNING)
def used_up_data(seen: Observation) -> Iterator[Finding]:
    """A loop has nothing to iterate from the second round of the loop around it on.

    A generator, or what `zip`, `map` and `iter` return, gives what it has once. Made before the loop over the epochs,
    it is used up by the first: the others train on nothing, or validate on nothing, and what they print is of the last
    batch that there was. Told where the source of the loops says so, neither loop ends before what it iterates does,
    the iterator has nothing left, and another round has come.

    Example: `batches = (load(f) for f in files)` before `for epoch in range(30): for x, y in batches:`.

    Use instead: a list, a function that makes the generator anew for each epoch, or a class whose `__iter__` does.
    """
    if seen.raised is not None:
        return
    for fact, at in seen.facts(UsedUp):
        message = (
            f"{fact.iterator}, a {fact.kind}, is used up by the first round of the loop at {fact.outer}: in the others "
            "this one has nothing to iterate"
        )
        yield rule("MP313").at(message, at.file, at.line)


@finding("MP314", "drifting-data", Severity.WARNING)
def drifting_data(seen: Observation) -> Iterator[Finding]:
    """The array that batches are cut from is written to, and moves away from what it was.

    A slice or a row of a NumPy array is a view: `+=` on it, in an augmentation say, changes the data themselves. The
    noise of each epoch is added to that of all before, until nothing of the data is left; other data, which are never
    changed, are of another scale by then. Told where the same array, with rows like a batch's and more of them, has
    other numbers at each of several looks, which go along with those before and lie further apart each time.

    Example: `def jitter(x): x += noise; return x`, called with `data[rows.start : rows.stop]`.

    Use instead: `return x + noise`.
    """
    for fact, at in seen.facts(WrittenTo):
        message = (
            f"{fact.source}, an array of {fact.rows} rows like a batch's, is written to while the "
            f"program trains: its deviation goes from {fact.before:.2g} to {fact.now:.2g}"
        )
        yield rule("MP314").at(message, at.file, at.line, before=fact.before, now=fact.now)
