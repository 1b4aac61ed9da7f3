"""How a finding is declared: a code, a name, a page of text and a function over the Observation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

Detector = Callable[[Observation], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """One finding code: `page` is what `mlxprobe explain` shows; `needs` names what it cannot be judged without."""

    code: str
    name: str
    severity: Severity
    page: str
    detect: Detector
    needs: str = ""

    def at(
        self, message: str, file: str = "", line: int = 0, *, severity: Severity | None = None, **evidence: float
    ) -> Finding:
        """Make a finding of this rule."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            message=message,
            file=file,
            line=line,
            evidence=evidence,
        )


RULES: dict[str, Rule] = {}


def finding(
    code: str, name: str, severity: Severity = Severity.ERROR, needs: str = ""
) -> Callable[[Detector], Detector]:
    """Register a detector under its code; its docstring is the page."""

    def register(detect: Detector) -> Detector:
        if code in RULES:
            raise ValueError(f"{code} is declared twice: {RULES[code].name} and {name}")
        RULES[code] = Rule(code, name, severity, (detect.__doc__ or "").strip(), detect, needs)
        return detect

    return register


def rule(code: str) -> Rule:
    """Return a registered rule."""
    return RULES[code]


def facts(seen: Observation, name: str) -> Iterator[Fact]:
    """List the facts of a name, one of each place: the last, which has counted the most."""
    places: dict[tuple[str, int], Fact] = {}
    for fact in seen.facts:
        if fact.name == name:
            places[fact.file, fact.line] = fact
    yield from places.values()


def place(seen: Observation, *names: str) -> tuple[str, int]:
    """Return file and line of the first fact of a name; where there is none, of the next name's."""
    found = ((fact.file, fact.line) for name in names for fact in seen.facts if fact.name == name)
    return next(found, ("", 0))


def listed(names: object) -> str:
    """Put names in a row."""
    return ", ".join(map(str, names)) if isinstance(names, list) else str(names)
