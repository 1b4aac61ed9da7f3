"""How a finding is declared: a code, a name, a page of text and a function over the Observation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlxprobe.model import Finding, Observation
from mlxprobe.vocabulary import Severity

Detector = Callable[[Observation], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """One finding code: `page` is what `mlxprobe explain` shows."""

    code: str
    name: str
    severity: Severity
    page: str
    detect: Detector

    def at(self, message: str, file: str = "", line: int = 0, **evidence: float) -> Finding:
        """Make a finding of this rule."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity,
            message=message,
            file=file,
            line=line,
            evidence=evidence,
        )


RULES: dict[str, Rule] = {}


def finding(code: str, name: str, severity: Severity = Severity.ERROR) -> Callable[[Detector], Detector]:
    """Register a detector under its code; its docstring is the page."""

    def register(detect: Detector) -> Detector:
        if code in RULES:
            raise ValueError(f"{code} is declared twice: {RULES[code].name} and {name}")
        RULES[code] = Rule(code, name, severity, (detect.__doc__ or "").strip(), detect)
        return detect

    return register


def rule(code: str) -> Rule:
    """Return a registered rule."""
    return RULES[code]
