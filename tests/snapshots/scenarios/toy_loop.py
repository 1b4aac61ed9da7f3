"""A loop is broken in a way whose title is so long that it does not fit a line of eighty columns.

Symptom: s.
Cause: c.
Fix: f.
"""

from mlxprobe import Outcome, Scenario

probe = Scenario()


@probe.correct
def right():
    """Do it right."""


@probe.broken(expects=Outcome.HANG)
def wrong():
    """Do it wrong."""


@probe.documented_fix()
def mended():
    """Do it as a document does."""
