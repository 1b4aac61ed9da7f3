"""What `mlxprobe attach` says, for a terminal and as Markdown: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mlxprobe.reports.console import printed
from mlxprobe.reports.diagnosis import calls
from mlxprobe.reports.indent import hanging
from mlxprobe.schema.enums import Live
from mlxprobe.schema.live import Attached, Connection, LiveProcess, LiveThread
from mlxprobe.schema.metrics import counted, duration, megabytes, untemplated
from mlxprobe.schema.record_io import encode
from mlxprobe.schema.texts import inline, one_line, plain

STYLES = {Live.ALIVE: "bold green", Live.IDLE: "bold green", Live.UNJUDGED: "bold yellow"}
STATES = {"R": "runs", "S": "asleep", "D": "waits for a disk", "T": "stopped", "t": "traced"}
SHOWN = 6  # connections of a process


def render(seen: Attached, width: int = 80) -> str:
    """Return the report without colours, `width` columns wide."""
    return printed(renderable(seen), width)


def renderable(seen: Attached) -> RenderableType:
    """Return the report for any rich console: the verdict comes last, as that of `watch` does."""
    parts: list[RenderableType] = []
    for one in seen.looked.processes:
        parts += [
            hanging(_head(one), "bold"),
            *(Padding(hanging(line), (0, 0, 0, 4)) for line in _figures(one)),
            *_threads(one),
            Text(""),
        ]
    style = STYLES.get(seen.state, "bold red")
    return Group(*parts, *(hanging(line) for line in _told(seen)), hanging(verdict(seen), style))


def verdict(seen: Attached) -> str:
    """Say in one line what the process does."""
    return f"{seen.state}: {one_line(seen.reason)}"


def markdown(seen: Attached) -> str:
    """Return the report as Markdown."""
    lines = [f"# Process {seen.pid}: {seen.state}", "", f"{inline(seen.reason)}.", ""]
    lines += [f"- {inline(line)}" for line in _told(seen)]
    for one in seen.looked.processes:
        lines += ["", f"## {inline(_head(one))}", "", *(f"- {inline(line)}" for line in _figures(one)), "", "```text"]
        told = [line for thread in one.threads if thread.stack for line in (_thread(thread), *_calls(thread))]
        lines += [line.replace("```", "'''") for line in (*told, *_others(one))]
        lines += ["```"]
    return "\n".join([*lines, ""])


FORMATS: dict[str, Callable[[Attached], str]] = {
    "text": render,
    "markdown": markdown,
    "json": lambda seen: encode(seen).decode(),
}


def _told(seen: Attached) -> Iterator[str]:
    if seen.standing:
        yield f"MLX: {one_line(untemplated(seen.standing))}"
    for known in seen.upstream:
        yield f"reported before: {known.name}: {known.message}; {known.thread}"
    for problem in seen.looked.problems:
        yield f"not seen: {one_line(problem)}"


def _head(one: LiveProcess) -> str:
    rank = f", rank {one.rank}" if one.rank >= 0 else ""
    return f"process {one.pid}{rank}: {one_line(' '.join(one.command)) or '?'}"


def _figures(one: LiveProcess) -> Iterator[str]:
    span_s = one.samples[-1].t_s - one.samples[0].t_s if one.samples else 0.0
    growth = f" ({'+' if one.growth_bytes >= 0 else '−'}{megabytes(abs(one.growth_bytes))} in {duration(span_s)})"
    parts = [f"for {duration(one.age_s)}", f"{one.cpu_share:.2f} processors", f"{megabytes(one.rss_bytes)}{growth}"]
    parts += [f"{megabytes(one.swap_bytes)} in swap"] * bool(one.swap_bytes)
    parts += [f"{one.read_pages:,} pages read"] * bool(one.read_pages)
    yield ", ".join(parts)
    for link in one.connections[:SHOWN]:
        yield _link(link)
    if len(one.connections) > SHOWN:
        yield f"… and {counted(len(one.connections) - SHOWN, 'connection')} more"


def _link(one: Connection) -> str:
    peer = f" (process {one.peer_pid})" if one.peer_pid else ""
    held = ", ".join(
        f"{count:,} bytes {word}"
        for count, word in ((one.unread_bytes, "unread"), (one.unsent_bytes, "unsent"))
        if count
    )
    return f"connection {one.local} → {one.remote}{peer}: {one.state}{held and ', '}{held}"


def _threads(one: LiveProcess) -> Iterator[RenderableType]:
    for thread in (each for each in one.threads if each.stack):
        yield Padding(hanging(_thread(thread)), (0, 0, 0, 4))
        for line in _calls(thread):
            yield Padding(Text(line.lstrip(), no_wrap=True, overflow="ellipsis"), (0, 0, 0, 8))
    yield from (Padding(hanging(line), (0, 0, 0, 4)) for line in _others(one))


def _others(one: LiveProcess) -> list[str]:
    """Tell of the threads that run no Python, those alike in one line."""
    alike: dict[tuple[str, str, str], list[LiveThread]] = {}
    for each in one.threads:
        if not each.stack:
            alike.setdefault((each.state, _innermost(each), each.waits), []).append(each)
    lines = []
    for (state, inside, waits), threads in alike.items():
        other = " without Python" if one.python else ""
        told = f"{counted(len(threads), 'thread')}{other}: {STATES.get(state, state)}"
        told += f", {sum(each.cpu_share for each in threads):.2f} processors" + (f", in {inside}" if inside else "")
        lines.append(
            told + (f", {'wait' if len(threads) > 1 else 'waits'} for {waits}" if waits and not inside else "")
        )
    return lines


def _innermost(one: LiveThread) -> str:
    """Name the innermost call in MLX, or the innermost of all."""
    names = [frame.function for frame in one.native]
    return plain(next((name for name in names if name.startswith("mlx::")), names[0] if names else ""))


def _calls(one: LiveThread) -> list[str]:
    return [f"    {line}" for line in calls(one.stack)] if one.stack else []


def _thread(one: LiveThread) -> str:
    named = "" if one.name.startswith("0x") else f" {plain(one.name)}"
    slept = f" for {duration(one.slept_s)}" if one.slept_s is not None and one.state == "S" else ""
    waits = f", waits for {one.waits}" if one.waits else ""
    return (
        f"thread {one.number}{named}: {STATES.get(one.state, one.state)}{slept}, {one.cpu_share:.2f} processors{waits}"
    )
