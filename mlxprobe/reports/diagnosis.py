"""What `mlxprobe watch` found, as a compiler prints it: pure, but for the source lines that it quotes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mlxprobe.diagnosis import RULES
from mlxprobe.reports import ranks, summary
from mlxprobe.reports.cause_groups import families, unchecked
from mlxprobe.reports.console import printed
from mlxprobe.reports.indent import Hanging
from mlxprobe.reports.verdicts import fails, grave, interrupted, verdict
from mlxprobe.runner.finding_filter import relative, source_of
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.losses import path
from mlxprobe.schema.merge_ranks import heading, said_once
from mlxprobe.schema.metrics import counted, duration, is_users, megabytes, native_call, usual_s
from mlxprobe.schema.observation import Stack
from mlxprobe.schema.record import Finding, ProgramRecord, Record
from mlxprobe.schema.texts import one_line, plain

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
FRAMES = 20
ADVICE = "Use instead:"


def render(record: Record, width: int = 80) -> str:
    """Return the report without colours, `width` columns wide."""
    return printed(renderable(record), width)


def told(one: ProgramRecord, width: int = 80) -> str:
    """Return what is said of one program, without colours."""
    return printed(Group(*_program(one, one)), width)


def renderable(record: Record, before: Record | None = None) -> RenderableType:
    """Return the report for any rich console, with what was otherwise in a record `before`."""
    rows, parts = record.programs, []
    for one, told in zip(rows, said_once(rows), strict=True):
        parts += [*_bold(heading(one, rows)), *_program(one, told), *sheet(one, before)]
    for of_program in ranks.groups(rows).values():
        job = of_program[0].process.job if of_program[0].process else 0
        parts += [Text(f"\njob {job}:" if job else "", "bold"), ranks.RankTable(ranks.lines(of_program))]
    parts += [Hanging(Text(f"problem: {one_line(problem)}", "red")) for problem in record.problems]
    if not record.complete:
        parts.append(Text("not complete: this is what was seen by then", "yellow"))
    return Group(*parts)


def _program(one: ProgramRecord, told: ProgramRecord) -> list[RenderableType]:
    """Show a program; of what its processes share, `told` has what is said of it here."""
    parts: list[RenderableType] = []
    advised: set[str] = set()
    for found, following in families(told.findings):
        parts += [*_finding(found, advised), *(_hence(depth, further) for depth, further in following), Text("")]
    if one.outcome is Outcome.HANG:
        parts += [part for stack in one.stacks for part in (*_stack(stack), Text(""))]
    if one.raised is not None and one.raised.file:
        by = f", called from {place(one.raised.caller.file, one.raised.caller.line)}" if one.raised.caller else ""
        parts.append(Hanging(Text(f"raised at {place(one.raised.file, one.raised.line)}{by}")))
    style = "bold red" if fails(one) else "bold yellow" if grave(one) else "bold green"
    parts += [Hanging(Text(line)) for line in (figures(one),) if line]
    parts.append(Hanging(Text(verdict(one), style)))
    shown = grave(one) if one.completes or interrupted(one) else ()  # in the verdict's own line
    parts += [Hanging(Text(f"also: {one_line(remark.message)}")) for remark in one.remarks if remark not in shown]
    if any(remark.name == "no step" for remark in one.remarks):
        return parts  # what was not checked, and why, is all said by that
    return [*parts, *(Hanging(Text(one_line(line), "dim")) for line in unchecked(told))]


def sheets(record: Record, before: Record | None = None) -> RenderableType:
    """Return the facts alone."""
    rows = record.programs
    return Group(*(part for one in rows for part in (*_bold(heading(one, rows)), *sheet(one, before)[1:])))


def sheet(one: ProgramRecord, before: Record | None = None) -> list[RenderableType]:
    """Show the facts of a run, and what an earlier one had otherwise; nothing where there are none."""
    now = summary.lines(one)
    parts: list[RenderableType] = [Text(""), *_facts(now)] if now else []
    then = [other for other in (before.programs if before else ()) if other.name == one.name]
    if now and then and (otherwise := summary.changed(now, summary.lines(then[0]))):
        parts += [Text("before:", "bold"), *_facts(otherwise)]
    return parts


def _bold(lines: Sequence[str]) -> list[RenderableType]:
    return [Text(line, "bold") for line in lines]


def _facts(lines: summary.Lines) -> list[RenderableType]:
    return [Hanging(Text.assemble((f"{label:9} ", "bold"), one_line(text)), 10) for label, text in lines]


def _finding(found: Finding, advised: set[str]) -> list[RenderableType]:
    parts: list[RenderableType] = [Hanging(_head(found))]
    if code := plain(source_of(found)):
        parts.append(Padding(Text(code, "cyan", no_wrap=True, overflow="ellipsis"), (0, 0, 0, 8)))
    if found.caller:
        line = f"    called from {place(found.caller.file, found.caller.line)}"
        code = f": {plain(found.caller.source)}" if found.caller.source else ""
        parts.append(Text(line + code, no_wrap=True, overflow="ignore"))
    if found.evidence:
        told = ", ".join(f"{plain(name)} = {figure(value)}" for name, value in found.evidence.items())
        parts.append(Padding(Text(told), (0, 0, 0, 4)))
    if (better := advice(found)) not in ("", *advised):
        advised.add(better)
        parts.append(Padding(Text(better, "green"), (0, 0, 0, 4)))
    return parts


def _head(found: Finding, before: str = "") -> Text:
    return Text.assemble(
        before,
        (f"{place(found.file, found.line)}: " if found.file else "", "bold"),
        (f"{plain(found.code)} {found.severity}", STYLES[found.severity]),
        f" {plain(found.name)}: {one_line(found.message)}",
    )


def _hence(depth: int, found: Finding) -> RenderableType:
    """Tell in short of a finding that follows from the one above it."""
    return Padding(Hanging(_head(found, "causes ")), (0, 0, 0, 4 * depth))


def _stack(stack: Stack) -> list[RenderableType]:
    head = Text(f"process {stack.pid}, thread {plain(stack.thread)}, innermost call first:", "bold")
    return [head, *(Padding(Text(line, no_wrap=True, overflow="ellipsis"), (0, 0, 0, 4)) for line in calls(stack))]


def calls(stack: Stack) -> list[str]:
    """Write a stack from the user's innermost frame to their outermost; all of it where no frame is the user's."""
    users = [k for k, frame in enumerate(stack.frames) if is_users(frame)] or [0, len(stack.frames) - 1]
    inner, outer = users[0], users[-1] + 1
    frames = stack.frames[inner:outer][:FRAMES]
    lines = [plain(native_call(frame)) for frame in stack.native]
    lines += [
        f"{place(frame.file, frame.line)} in {plain(frame.function)}{f': {plain(frame.code)}' if frame.code else ''}"
        for frame in frames
    ]
    left = outer - inner - len(frames)
    return lines + [f"… and {counted(left, 'outer call')}"] * bool(left)


def place(file: str, line: int) -> str:
    """Write a place as editors read it, relative to the current folder where it lies below it."""
    return plain(relative(file)) + (f":{line}" if line else "")


def figure(value: float) -> str:
    """Write a figure of the evidence."""
    whole = math.isfinite(value) and value == int(value) and abs(value) < 1e15
    return f"{value:,.0f}" if whole or 1e3 <= abs(value) < 1e15 else f"{value:.4g}"


def advice(found: Finding) -> str:
    """Return what to write instead, by the finding or the page of its code; empty where that is not known here."""
    if found.instead:
        return f"{ADVICE} {found.instead}"
    text = RULES[found.code].advice if found.code in RULES else ""
    return f"{ADVICE} {one_line(text)}" if text else ""


def figures(one: ProgramRecord) -> str:
    """Put steps, time, loss and memory in one line; nothing of a program that was not watched."""
    if one.outcome is Outcome.UNJUDGED and not (one.begun_s or one.steps):
        return ""
    first = any(remark.name == "no step" and remark.detail for remark in one.remarks)
    none = "in the first training step" if first else "no training step"
    complete = " complete" * (one.outcome is Outcome.HANG)  # of the next, the update may be made
    steps = one.sheet.updates if one.sheet.by_hand else one.steps  # without an optimizer gradient calls are counted
    least = "at least " * (one.is_cut_off and not complete)
    parts = [f"{least}{counted(steps, 'step')}{complete}" if steps else none]
    if one.step_s:
        parts.append(f"{duration(usual_s(one.step_s))} a step")
    if one.worst_step and one.steps > 1:
        slowest = f"slowest after it {duration(one.worst_step_s)} at step {one.worst_step:,}"
        parts += [f"first {duration(one.step_s[0])}", slowest, f"{duration(one.steps_s)} in all"]
    if one.losses:
        parts.append(f"loss {path(one.losses, one.sheet.begun, one.sheet.gradients, one.sheet.names)}")
    if one.memory:
        parts.append(f"peak memory {megabytes(max(sample.peak_bytes for sample in one.memory))}")
    elif one.samples:
        parts.append(f"peak resident memory {megabytes(max(sample.rss_bytes for sample in one.samples))}")
    return ", ".join(parts)


def headline(found: Finding) -> str:
    """Return a finding's place, code, name and message in one line."""
    where = f"{place(found.file, found.line)}: " if found.file else ""
    return f"{where}{plain(found.code)} {found.severity} {plain(found.name)}: {one_line(found.message)}"
