"""GitHub's workflow commands, which it shows beside the lines of a change: pure."""

from __future__ import annotations

from mlxprobe.reports.cause_groups import ORDER, Family, families
from mlxprobe.reports.diagnosis import headline, place
from mlxprobe.reports.verdicts import fails, grave, verdict
from mlxprobe.runner.finding_filter import own_place, relative
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.merge_ranks import said_once
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.texts import one_line, plain

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(record: Record) -> str:
    """Return an annotation per cause, the gravest first, and one with each program's verdict."""
    lines = []
    for one, told in zip(record.programs, said_once(record.programs), strict=True):
        lines += [*map(_family, families(told.findings)), _verdict(one)]
    lines += [command("error", problem, title="mlxprobe") for problem in record.problems]
    return "".join(f"{line}\n" for line in lines)


def _family(family: Family) -> str:
    """Annotate the user's own line, as grave as what follows from it: of an installed package GitHub shows none."""
    found, following = family
    own = own_place(found)
    lines = [found.message, *([f"in {place(found.file, found.line)}, called from here"] if found.caller else [])]
    return command(
        LEVELS[min((found, *(one for _, one in following)), key=lambda one: ORDER.index(one.severity)).severity],
        "\n".join([*lines, *(f"causes {headline(one)}" for _, one in following)]),
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
