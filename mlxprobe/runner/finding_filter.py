"""Which findings count: those chosen by their codes, less those that a baseline record had already."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlxprobe.schema.errors import UsageError

if TYPE_CHECKING:  # a program that is to be watched need not wait for them
    from mlxprobe.schema.observation import Place, Raised
    from mlxprobe.schema.record import Finding, ProgramRecord, Record

Known = tuple[str, str, str]  # code, file relative to the root, the line's text


@dataclass(frozen=True)
class Selection:
    """A choice of findings by code, prefix, name or family, in any case; without `select` it is all of them.

    Args:
        select: findings to keep, such as MP1, MP101, unevaluated-update or data.
        ignore: findings to drop; of `select` and `ignore` the longer prefix wins, of equal ones `ignore`.
        known: what a baseline had, as `known_of` reads it.

    Raises:
        UsageError: a word is no code, prefix, name or family.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    known: frozenset[Known] = frozenset()

    def __post_init__(self) -> None:
        if not (self.select or self.ignore):
            return
        object.__setattr__(self, "select", tuple(map(_prefix, self.select)))
        object.__setattr__(self, "ignore", tuple(map(_prefix, self.ignore)))

    def selects(self, code: str) -> bool:
        """Check whether findings of a code are wanted."""
        return _longest(self.select or ("",), code) > _longest(self.ignore, code)

    def apply(self, findings: Iterable[Finding], root: Path | None = None) -> tuple[tuple[Finding, ...], int]:
        """Return the findings that count, in their order, and the number of wanted ones that the baseline had."""
        wanted = [found for found in findings if self.selects(found.code)]
        kept = tuple(found for found in wanted if identity(found, root) not in self.known)
        return kept, len(wanted) - len(kept)


def selected(row: ProgramRecord, selection: Selection, root: Path | None = None) -> ProgramRecord:
    """Return a row with the findings that count, and the verdict that they leave it."""
    from msgspec.structs import replace

    from mlxprobe.verdict.rows import rated

    kept, accepted = selection.apply(row.findings, root)
    unchecked = tuple(one for one in row.unchecked if selection.selects(one.code))
    return rated(replace(row, findings=kept, unchecked=unchecked, accepted=accepted))


def _prefix(word: str) -> str:
    """Return the prefix of codes that a word chooses.

    Raises:
        UsageError: it chooses none.
    """
    from mlxprobe.diagnosis import FAMILIES, RULES  # a program that is to be watched need not wait for them

    names = {rule.name: code for code, rule in RULES.items()} | FAMILIES
    prefix = names.get(word.lower(), word.upper())
    if not prefix or not any(code.startswith(prefix) for code in RULES):
        families = ", ".join(FAMILIES)
        raise UsageError(f"no finding has the code or name {word!r}; known are {', '.join(sorted(RULES))}, {families}")
    return prefix


def _longest(prefixes: Iterable[str], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)


def known_of(record: Record, root: Path) -> frozenset[Known]:
    """Return what an earlier record found, so that the same finding is known again where its line has moved.

    A record from another machine names files that are not here; they are looked for below `root`.
    """
    found = (one for program in record.programs for one in program.findings)
    return frozenset(identity(_here(one, root), root) for one in found)


def _here(found: Finding, root: Path) -> Finding:
    from msgspec.structs import replace

    caller = found.caller and replace(found.caller, file=_found_again(found.caller.file, root))
    return replace(found, file=_found_again(found.file, root), caller=caller)


def identity(found: Finding, root: Path | None = None) -> Known:
    """Return what makes a finding the same in a later run: code, file and the line's text (its number without one).

    The file is the user's own where there is one: packages are elsewhere on another machine.
    """
    text, file = source_of(found, root), own_place(found).file
    return found.code, relative(file, root) if file else "", text or f"line {found.line}"


def own_place(told: Finding | Raised) -> Place:
    """Return the user's own line: the place itself, or the one that led to it in an installed package."""
    from mlxprobe.schema.observation import Place

    source: str = getattr(told, "source", "")  # of an exception none was kept
    return told.caller or Place(file=told.file, line=told.line, source=source)


def quoted(found: Finding) -> Finding:
    """Return a finding with the text of its lines, as the files have it or only the program could read it.

    Its advice is in the names of the program, or the line as it should be, where that can be read off the user's line.
    """
    from msgspec.structs import replace

    from mlxprobe.diagnosis import RULES
    from mlxprobe.rules.rewriting import advised

    own = own_place(found)
    rule = RULES[found.code]
    general = found.instead or rule.advice
    rewrite = None if found.caller else rule.rewrite
    instead = advised(general, "".join(_lines(own.file)), own.line, rewrite) if own.line else general
    found = replace(found, instead="" if instead == rule.advice else instead)
    by = found.caller
    caller = by and replace(by, source=source_line(by.file, by.line) or by.source)
    source = source_line(found.file, found.line) or found.source
    return replace(found, source=source, caller=caller)


def source_of(found: Finding | Place, root: Path | None = None) -> str:
    """Return the text of a finding's line: as the record kept it, where it did; else as the file has it now."""
    return found.source.strip() or source_line(found.file, found.line, root)


def source_line(file: str, line: int, root: Path | None = None) -> str:
    """Return a line of a file, stripped; empty where it cannot be read."""
    lines = _lines(file, root)
    return lines[line - 1].strip() if 1 <= line <= len(lines) else ""


def _lines(file: str, root: Path | None = None) -> list[str]:
    """Return the lines of a file; none where it cannot be read."""
    if not file:
        return []
    try:
        path = str((root or Path.cwd()) / file)
        linecache.checkcache(path)
        return linecache.getlines(path)
    except (OSError, ValueError):  # a name that no file can have, or a folder that is gone
        return []


def relative(file: str, root: Path | None = None) -> str:
    """Return a path as seen from `root` (the current folder) where it is below it, else unchanged."""
    try:
        path, base = Path(file), root or Path.cwd()
        for inner, outer in ((path, base), (path.resolve(), base.resolve())):
            if path.is_absolute() and inner.is_relative_to(outer):
                return inner.relative_to(outer).as_posix()
    except (OSError, ValueError, RuntimeError):  # as above; a ring of links
        return file
    return path.as_posix()


def _found_again(file: str, root: Path) -> str:
    """Return the file below `root` with the longest common end of its path, where the path itself leads nowhere."""
    try:
        if not file or (root / file).is_file():
            return file
        return next((str(root / end) for end in _ends(Path(file).parts) if (root / end).is_file()), file)
    except (OSError, ValueError):
        return file


def _ends(parts: Sequence[str]) -> list[Path]:
    return [Path(*parts[first:]) for first in range(1, len(parts))]
