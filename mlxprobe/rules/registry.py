"""How a finding is declared: a code, a name, a page of text and a function over the Observation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol, TypeVar

from mlxprobe.protocol.fact import Fact
from mlxprobe.rules.rewriting import Rewrite
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

SECTIONS = ("Why it matters", "Example", "Use instead", "Limits")  # of a page, after what the rule detects
FAMILIES = {
    "evaluation": "MP1",
    "updates": "MP2",
    "data": "MP3",
    "checkpoints": "MP4",
    "compilation": "MP5",
    "processes": "MP6",
    "ranks": "MP7",
}
Named = TypeVar("Named", bound=Fact)
Detector = Callable[[Observation], Iterator[Finding]]
Comparison = Callable[[Sequence[Observation]], Iterator[Finding]]


def nothing(_: object) -> Iterator[Finding]:
    """Find nothing: of one process alone, or of several together, where a rule is about the other."""
    yield from ()


class HasSeen(Protocol):
    """A fact whose cause may be at another line than where it was seen."""

    @property
    def seen(self) -> str:
        """Where: empty if at its own line."""


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
    explains: tuple[str, ...] = ()  # codes of what follows from it
    rewrite: Rewrite | None = None  # of the blamed statement

    def sections(self) -> dict[str, str]:
        """Return the page by its sections, each on one line; what has no heading matters."""
        what, *rest = [" ".join(paragraph.split()) for paragraph in self.page.split("\n\n")]
        found = {"What it detects": what}
        for paragraph in rest:
            title = next((one for one in SECTIONS if paragraph.startswith(f"{one}:")), SECTIONS[0])
            text = paragraph.removeprefix(f"{title}:").strip()
            found[title] = f"{found[title]}\n\n{text}" if title in found else text
        return found

    @property
    def advice(self) -> str:
        """What to write instead, on one line; empty where the page does not say."""
        return self.sections().get("Use instead", "")

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
    code: str,
    name: str,
    severity: Severity = Severity.ERROR,
    *,
    needs: str = "",
    explains: tuple[str, ...] = (),
    rewrite: Rewrite | None = None,
) -> Callable[[Detector], Detector]:
    """Register a detector under its code; its docstring is the page, `rewrite` mends the blamed statement."""

    def register(detect: Detector) -> Detector:
        page = (detect.__doc__ or "").strip()
        _register(Rule(code, name, severity, page, detect, needs, explains=explains, rewrite=rewrite))
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


def findings_from_facts(
    seen: Observation, code: str, words: Mapping[type[Named], str], severity: Severity | None = None
) -> Iterator[Finding]:
    """Report every fact of some types, in the words for each, which name its fields: `{updates} updates`."""
    for kind, text in words.items():
        for fact, at in seen.facts(kind):
            yield rule(code).at(text.format(**fact.as_dict()), at.file, at.line, severity=severity)


def place(seen: Observation, *kinds: type[Fact]) -> tuple[str, int]:
    """Return file and line of the first fact of a type; where there is none, of the next type's."""
    return next(((at.file, at.line) for kind in kinds for _, at in seen.every(kind)), ("", 0))


def listed(names: Iterable[str]) -> str:
    """Put names in a row."""
    return ", ".join(names)


def seen_at(fact: HasSeen) -> str:
    """Return words for where a fault was seen, if its cause is at another line."""
    return f"; seen at {fact.seen}" if fact.seen else ""


def lower_rate(seen: Observation) -> str:
    """Advise a smaller learning rate, with its line where there is one optimizer whose line is known."""
    known = [one for one in seen.sheet.optimizers if one.made_at and one.rates]
    if len(known) != 1 or len(seen.sheet.optimizers) != 1:
        return "a smaller learning rate"
    at = f"{PurePath(known[0].made_in).name}:{known[0].made_at}"
    return f"a smaller learning rate than {max(rate for _, rate in known[0].rates):.3g} ({at})"
