"""How a finding is declared: a code, a name, a page of text and a function over the Observation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

Detector = Callable[[Observation], Iterator[Finding]]
Comparison = Callable[[Sequence[Observation]], Iterator[Finding]]


def nothing(_: object) -> Iterator[Finding]:
    """Find nothing: of one process alone, or of several together, where a rule is about the other."""
    yield from ()


@dataclass(frozen=True)
class Rule:
    """One finding code: `page` is what `mlxprobe explain` shows; `needs` names what it cannot be judged without.

    It looks at one process (`detect`), or holds the ranks of a run against one another (`compare`), by rank.
    """

    code: str
    name: str
    severity: Severity
    page: str
    detect: Detector = nothing
    needs: str = ""
    compare: Comparison = nothing

    @property
    def of_ranks(self) -> bool:
        """Whether it takes several ranks to see it."""
        return self.compare is not nothing

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
        _register(Rule(code, name, severity, (detect.__doc__ or "").strip(), detect, needs))
        return detect

    return register


def ranks_finding(code: str, name: str, severity: Severity = Severity.ERROR) -> Callable[[Comparison], Comparison]:
    """Register a comparison of the ranks of one run under its code; its docstring is the page."""

    def register(compare: Comparison) -> Comparison:
        _register(Rule(code, name, severity, (compare.__doc__ or "").strip(), compare=compare))
        return compare

    return register


def _register(new: Rule) -> None:
    if new.code in RULES:
        raise ValueError(f"{new.code} is declared twice: {RULES[new.code].name} and {new.name}")
    RULES[new.code] = new


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


def each(seen: Observation, code: str, words: Mapping[str, str], severity: Severity | None = None) -> Iterator[Finding]:
    """Tell of every fact of some names, in the words for each, which say what the fact holds: `{updates} updates`."""
    for name, text in words.items():
        for fact in facts(seen, name):
            yield rule(code).at(text.format(**fact.detail), fact.file, fact.line, severity=severity)


def place(seen: Observation, *names: str) -> tuple[str, int]:
    """Return file and line of the first fact of a name; where there is none, of the next name's."""
    found = ((fact.file, fact.line) for name in names for fact in seen.facts if fact.name == name)
    return next(found, ("", 0))


def listed(names: object) -> str:
    """Put names in a row."""
    return ", ".join(map(str, names)) if isinstance(names, list) else str(names)


def seen_at(fact: Fact) -> str:
    """Return words for where a fault was seen, if its cause is at another line."""
    return f"; seen at {fact.detail['seen']}" if fact.detail.get("seen") else ""
