"""What a scenario's own file says of it, as a value: the report reads no files."""

from __future__ import annotations

from mlxprobe.schema.observation import Value


class Guide(Value, frozen=True):
    """A scenario's docstring in its parts, its source, and the name of its correct loop."""

    scenario: str
    source: str
    correct: str
    symptom: str = ""
    cause: str = ""
    fix: str = ""
