"""GitHub's workflow commands, which it shows beside the lines of a change: pure."""

from __future__ import annotations

from mlxprobe.reports.diagnosis import fails, grave, one_line, ordered, place, plain, verdict
from mlxprobe.running.selection import own_place, relative
from mlxprobe.values.record import Finding, ProgramRecord, Record
from mlxprobe.values.vocabulary import Severity

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(record: Record) -> str:
    """Return an annotation per finding, the gravest first, and one with each program's verdict."""
    lines = []
    for one in record.programs:
        lines += [*map(_finding, ordered(one.findings)), _verdict(one)]
    lines += [command("error", problem, title="mlxprobe") for problem in record.problems]
    return "".join(f"{line}\n" for line in lines)


def _finding(found: Finding) -> str:
    """Annotate the user's own line: of an installed package GitHub shows none."""
    own = own_place(found)
    return command(
        LEVELS[found.severity],
        f"{found.message}\nin {place(found.file, found.line)}, called from here" if found.caller else found.message,
        file=relative(own.file) if own.file else "",
        line=own.line,
        title=f"{found.code} {found.name}",
    )


def _verdict(one: ProgramRecord) -> str:
    own = own_place(one.raised) if one.raised and one.raised.file else None
    file, line = (relative(own.file), own.line) if own else ("", 0)
    level = "error" if fails(one) else "warning" if grave(one) else "notice"
    return command(level, verdict(one), file=file, line=line, title=f"mlxprobe {one.label}")


def command(level: str, message: str, *, title: str, file: str = "", line: int = 0) -> str:
    """Return one workflow command, escaped as GitHub asks; whatever the texts hold, it stays one line."""
    given = {"file": plain(file), "line": str(line) if file and line else "", "title": one_line(title)}
    properties = ",".join(f"{name}={_property(value)}" for name, value in given.items() if value)
    return f"::{level} {properties}::" + "%0A".join(_data(plain(part)) for part in message.splitlines())


def _data(text: str) -> str:
    return text.replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
