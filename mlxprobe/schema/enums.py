"""The words that every room shares: outcomes, hang kinds, owners of code, roles and severities.

Standard library only, because the watched process reads them too.
"""

from enum import Enum


class Word(str, Enum):
    """A member prints as its value, so that records and reports need no translation."""

    def __str__(self) -> str:
        return str(self.value)


class Outcome(Word):
    """What became of a program: one vocabulary for run, watch, gate, bisect and pytest."""

    PASS = "pass"
    UNHEALTHY = "unhealthy"
    HANG = "hang"
    MEMORY = "memory"
    CRASH = "crash"
    ERROR = "error"
    NAN = "nan"
    NO_LEARNING = "no-learning"
    WRONG = "wrong"
    SLOW = "slow"
    SKIPPED = "skipped"
    UNJUDGED = "unjudged"


class HangKind(Word):
    """How a hang showed itself; evidence, not a guess."""

    DEADLOCK = "deadlock"
    STALL = "stall"
    WAITING = "waiting"
    UNKNOWN = "unknown"


class Live(Word):
    """What is said of a process that was running already when it was looked at."""

    ALIVE = "alive"
    IDLE = "idle"
    DEADLOCK = "deadlock"
    STALL = "stall"
    UNJUDGED = "unjudged"


class Whose(Word):
    """Whose code a line is; generated code is what a library made of a text, as `dataclass` does."""

    OWN = "own"
    PACKAGE = "package"
    GENERATED = "generated"
    LIBRARY = "library"


class Role(Word):
    """What a variant is in its scenario."""

    CORRECT = "correct"
    BROKEN = "broken"
    DOCUMENTED_FIX = "documented fix"
    MITIGATION = "mitigation"
    REFERENCE = "reference"


class Severity(Word):
    """How sure and how bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
