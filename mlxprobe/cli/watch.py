"""`mlxprobe watch`: the user's own program under the agent."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mlxprobe.cli.common import INTERRUPTED, JUDGED_NOT, leave, tell, with_report, with_settings
from mlxprobe.settings.table import resolve
from mlxprobe.supervisor.warden import SHARED
from mlxprobe.values.errors import UsageError

if TYPE_CHECKING:
    from mlxprobe.cli.statusline import StatusLine
    from mlxprobe.running.watching import Watch
    from mlxprobe.supervisor.watch import Watcher
    from mlxprobe.values.record import ProgramRecord, Record

FORMS = ("text", "json", "junit", "github", "sarif", "html")
SEVERITIES = ("never", "error", "warning", "note")


class Program(click.Command):
    """A command whose arguments are another program: options end at its name, and `--` says that it is a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether the program came after `--`."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        words = ctx.params.get("words", ())
        before = given[: len(given) - len(words)]
        ctx.params["is_command"] = bool(words) and before[-1:] == ["--"]
        return rest


def with_program(command: Any) -> Any:
    """Give a command the program's words, `-m` and `--python`."""
    for decorate in (
        click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]..."),
        click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module, as for `python -m`."),
        click.option("--python", metavar="PATH", default=sys.executable, help="The interpreter (default: this one)."),
    ):
        command = decorate(command)
    return command


def command_of(words: Sequence[str], python: str, *, is_module: bool, is_command: bool) -> tuple[str, ...]:
    """Return the words to run.

    Raises:
        UsageError: there are none, or there is no such script.
    """
    if not words:
        raise UsageError("there is no program to watch; `mlxprobe watch train.py` is right")
    if is_command:
        return tuple(words)
    if is_module:
        return (python, "-m", *words)
    if not Path(words[0]).is_file():
        raise UsageError(f"{words[0]}: there is no such script; `-m` is for a module, `--` for any other command")
    return (python, *words)


@click.command(cls=Program, context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("--steps", type=click.IntRange(0), default=0, help="End the program after this many steps.")
@click.option("--until-finding", is_flag=True, help="End the program at the first finding that is an error.")
@click.option("--select", multiple=True, metavar="CODE", help="Report only these codes, by prefix; repeatable.")
@click.option("--ignore", multiple=True, metavar="CODE", help="Leave out these codes, by prefix; repeatable.")
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), help="Accept what this record has found.")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default="never", help="Exit 1 at findings this grave (default: never)."
)
@click.option("--live/--no-live", default=True, help="Show a status line in a terminal.")
@with_report(FORMS)
@with_settings("timeout_s", "stall_s", "memory", "device")
@with_program
def watch(
    words: tuple[str, ...],
    python: str,
    is_module: bool,
    is_command: bool,
    form: str,
    output: Path | None,
    fail_on: str,
    live: bool,
    steps: int,
    until_finding: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    baseline: Path | None,
    **flags: Any,
) -> None:
    """Run a training script unchanged, and name what is wrong with it.

    Its streams, signals and exit code are its own; the report comes last, on stderr, or in --output. Also
    `mlxprobe watch -m MODULE ...` and `mlxprobe watch -- COMMAND ...` (any command that ends up in a Python with MLX).
    """
    from mlxprobe.cli.statusline import StatusLine
    from mlxprobe.running.selection import Selection, known_of
    from mlxprobe.running.watching import Enough, Watch
    from mlxprobe.values.files import check_writable, load
    from mlxprobe.values.observation import Program as Watched

    settings = resolve(flags)
    command = command_of(words, python, is_module=is_module, is_command=is_command)
    check_writable(output)
    known = known_of(load(baseline), Path.cwd()) if baseline else frozenset()
    chosen = Selection(select=select, ignore=ignore, known=known)
    name = words[0]
    program = Watched(name=name, command=command, terminal=True, device=settings.device)
    began = time.monotonic()
    running = Watch(program, settings, Enough(steps=steps, finding=until_finding))
    threading.Thread(target=import_reports, daemon=True).start()
    with StatusLine(wanted=live) as line, own_signals(running), stops_cleanly(line):
        running.shown, running.silent = line.show, say_silent
        seen = running.run()
    findings, accepted = chosen.apply(seen.findings)
    kept = msgspec.structs.replace(seen, findings=findings)
    record = record_of(kept, running.environment, began, running.unseen)
    _report(record, form, output, accepted)
    leave(INTERRUPTED if running.stop.is_set() else exit_code(kept, fail_on, ended=running.ended))


def import_reports() -> None:
    """Import what the report needs while the program starts: it takes as long as a short program does."""
    import mlxprobe.cli.display
    import mlxprobe.reports  # noqa: F401


def say_silent(watcher: Watcher) -> None:
    """Say at once that the program is stuck, for it may never end."""
    from mlxprobe.values.measures import calling_frame, standing_frame

    silence = watcher.suspicion.silence
    if silence is None:
        return
    frame = standing_frame(silence.stacks)
    where = f" at {frame.file}:{frame.line} ({frame.code})" if frame else ""
    if caller := calling_frame(silence.stacks):
        where += f", called from {caller.file}:{caller.line}"
    tell(f"{silence.kind}: nothing has moved for {silence.silent_s:.0f} s{where}; Ctrl-C, three times at most, ends it")


@contextmanager
def own_signals(running: Watch) -> Iterator[None]:
    """Hand on what was sent to us alone; what we ignore (as under nohup) the program ignores too."""

    def hand_on(number: int, _: FrameType | None) -> None:
        running.send(number)

    handed_on = [number for number in SHARED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hand_on) for number in handed_on}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stops_cleanly(line: StatusLine) -> Iterator[None]:
    """Leave the whole terminal to the shell while Ctrl-Z stops us; the line comes back with us."""

    def stop(*_: Any) -> None:
        line.leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)

    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


def record_of(seen: ProgramRecord, environment: Any, began_s: float, unseen: tuple[str, ...]) -> Record:
    """Put one program's row into a record."""
    import mlxprobe
    from mlxprobe.values.files import SCHEMA_VERSION, now
    from mlxprobe.values.record import Record

    return Record(
        schema_version=SCHEMA_VERSION,
        mlxprobe=mlxprobe.__version__,
        time=now(),
        environment=environment,
        programs=(seen,),
        wall_s=time.monotonic() - began_s,
        problems=unseen,
    )


def _report(record: Record, form: str, output: Path | None, accepted: int) -> None:
    """Write the report: on stderr, for stdout is the program's; with a file, a redirected stderr is too."""
    from mlxprobe.cli.display import shown
    from mlxprobe.reports import WATCH_FORMATS, diagnosis
    from mlxprobe.values.files import write

    if output is not None:
        write(output, WATCH_FORMATS[form](record).encode())
        if not sys.stderr.isatty():
            return
    if output is not None or form == "text":
        click.echo(shown(diagnosis.renderable(record, accepted), stderr=True), nl=False, err=True)
    else:
        click.echo(WATCH_FORMATS[form](record), nl=False, err=True)


def exit_code(seen: ProgramRecord, fail_on: str, ended: str) -> int:
    """Return the program's own exit code; 1 where we ended it, or where it ended well and findings are too grave."""
    from mlxprobe.values.vocabulary import Outcome, Severity

    graver = list(Severity)[: SEVERITIES.index(fail_on)]
    failed = any(one.checked and one.severity in graver for one in seen.findings)
    if ended == "enough":
        return int(failed)
    if seen.outcome in (Outcome.HANG, Outcome.MEMORY, Outcome.SLOW):
        return 1
    if seen.exit_code is None:
        return JUDGED_NOT
    if seen.exit_code < 0:
        die_alike(-seen.exit_code)
    if fail_on != "never" and seen.outcome is Outcome.UNJUDGED and seen.begun_s:
        return seen.exit_code or JUDGED_NOT
    return seen.exit_code or int(failed)


def die_alike(number: int) -> None:
    """End by the signal that ended the program, so that whoever started us sees what it would have seen."""
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # SIGKILL is what it is
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
