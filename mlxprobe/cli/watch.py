"""`mlxprobe watch`: the user's own program under the agent."""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.common import (
    INTERRUPTED,
    JUDGED_NOT,
    check_output,
    duration,
    in_background,
    leave,
    with_report,
    with_settings,
)
from mlxprobe.cli.program import Program, command_of, with_program
from mlxprobe.cli.watch_output import Report
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.texts import encodable
from mlxprobe.settings.table import resolve
from mlxprobe.supervisor.reaper import SHARED, give_up
from mlxprobe.supervisor.reaper_client import inherited

if TYPE_CHECKING:
    from mlxprobe.cli.statusline import StatusLine
    from mlxprobe.runner.watch_session import Watch
    from mlxprobe.schema.record import ProgramRecord, Record
    from mlxprobe.supervisor.watch import Watcher

SEVERITIES = ("never", "error", "warning", "note")
MESSAGE_CHARACTERS = 200
FORMS = ("text", "markdown", "json", "junit", "github", "sarif", "html")


@click.command(cls=Program, context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("--steps", type=click.IntRange(0), default=0, help="End the program after this many steps.")
@click.option("--until-finding", is_flag=True, help="End the program at the first finding that is an error.")
@click.option("--select", multiple=True, metavar="CODE", help="Report only these codes, names or families; repeatable.")
@click.option("--ignore", multiple=True, metavar="CODE", help="Leave out these codes, names or families; repeatable.")
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), help="Accept what this record has found.")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default="never", help="Exit 1 at findings this grave (default: never)."
)
@click.option("--sheet", is_flag=True, help="Show the facts of the run alone.")
@click.option("--every", metavar="TIME", help="Refresh --output at this interval, such as 10min.")
@click.option("--live/--no-live", default=True, help="Show a status line in a terminal.")
@with_report(FORMS)
@with_settings("device", timeout_s="none", stall_s="60s or 20 slow steps, and then it is not ended", memory="none")
@with_program
def watch(
    words: tuple[str, ...],
    python: str,
    is_module: bool,
    is_command: bool,
    form: str,
    output: Path | None,
    fail_on: str,
    sheet: bool,
    live: bool,
    steps: int,
    until_finding: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    baseline: Path | None,
    every: str | None,
    **flags: Any,
) -> None:
    """Run a training script unchanged, and name what is wrong with it.

    Its streams, signals and exit code are its own; the report comes last, on stderr, or in --output. Hangs and proved
    errors are reported on stderr at once; with --output in a terminal only. Also `mlxprobe watch -m MODULE ...` and
    `mlxprobe watch -- COMMAND ...` (any command that ends up in a Python with MLX).
    """
    from mlxprobe.runner.finding_filter import Selection
    from mlxprobe.runner.watch_session import Enough, Watch
    from mlxprobe.schema.program import Program as Watched

    settings = resolve(flags)
    command = command_of(words, python, is_module=is_module, is_command=is_command)
    before, known = read_baseline(output, baseline, words if is_command else words[:1])
    chosen = Selection(select=select, ignore=ignore, known=known)
    last = output is not None and not sys.stderr.isatty()
    if every is not None and output is None:
        raise UsageError("--every requires --output")
    every_s = duration("--every", every)
    report = Report(form, output, chosen, before, sheet=sheet, every_s=every_s or math.inf, last=last)
    program = Watched(name=encodable(words[0]), command=command, terminal=True, device=settings.device)
    running = Watch(program, settings, Enough(steps=steps, finding=until_finding))
    running.begun = lambda: begun(output)
    try:
        record = reported(running, report, live=live)
    except ProbeError:
        raise
    except Exception as error:  # ours: it ends no run of the user's, and hides no exit code
        say_failed(error)
        leave(exit_code((), fail_on, running.ended, running.exit_code))
        return
    leave(code_of(running, record, fail_on))


def code_of(running: Watch, record: Record, fail_on: str) -> int:
    """Return our exit code for a program that has been watched to its end."""
    wrong = running.unwatched is not None and running.unwatched.misuse
    code = JUDGED_NOT if wrong else exit_code(record.programs, fail_on, running.ended, running.exit_code)
    if running.stop.is_set():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person who had to press Ctrl-C three times presses it again
        return INTERRUPTED
    return code


def say_failed(error: Exception) -> None:
    """Say on stderr that the watcher itself has failed, with its place, and that the program was left alone."""
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    why = f"{type(error).__name__}: {error}"[:MESSAGE_CHARACTERS]
    sys.stderr.write(f"mlxprobe: failed at {where} ({why}): there is no report; the program was not disturbed\n")


def reported(running: Watch, report: Report, *, live: bool) -> Record:
    """Run the program to its end, shown as it goes, and deliver the report."""
    from mlxprobe.cli.statusline import StatusLine

    with own_signals(running):
        with StatusLine(wanted=live) as line, stops_cleanly(line):

            def shown(watcher: Watcher) -> None:
                line.show(watcher)
                report.renew(running, watcher)

            running.shown = shown
            report.listen(running)
            seen = running.run()
        record = report.record(running, seen)
        report.deliver(record)  # one Ctrl-C too many is not to cost the report
    return record


def read_baseline(
    output: Path | None, baseline: Path | None, program: Sequence[str]
) -> tuple[Record | None, frozenset[Any]]:
    """Check the files that a command was given; return the baseline, and what it has found."""
    if output is None and baseline is None:
        return None, frozenset()
    from mlxprobe.runner.finding_filter import known_of
    from mlxprobe.schema.record_io import load

    check_output(output, baseline, *program)
    before = load(baseline) if baseline else None
    return before, known_of(before, Path.cwd()) if before else frozenset()


def begun(output: Path | None) -> None:
    """Release the descriptors that the started program was handed, except the report's own; import the report."""
    give_up(fd for fd in inherited().descriptors if not is_open_as(fd, output))
    in_background(import_reports)


def is_open_as(fd: int, file: Path | None) -> bool:
    """Check whether a descriptor is of a file, which may be named by it, as `/dev/fd/7`."""
    try:
        return file is not None and os.path.samestat(os.fstat(fd), file.stat())
    except OSError:  # there is no file so far
        return False


def import_reports() -> None:
    """Import what the report needs while the program starts: it takes as long as a short program does.

    What is imported stays to the end: to look for garbage in it, now or when Python ends, would cost a tenth more.
    """
    import gc
    import platform

    gc.disable()
    try:
        import mlxprobe.cli.display
        import mlxprobe.reports.diagnosis
        import mlxprobe.runner.judging  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
    platform.platform()  # it asks another program, once


@contextmanager
def own_signals(running: Watch) -> Iterator[None]:
    """Hand on what was sent to us alone; what we ignore (as under nohup) the program ignores too.

    That its terminal was closed a program hears where it would without us: from the shell, or the system. What our
    caller blocked we hand on as well: the program blocks it, and may wait for it.
    """
    had_terminal = has_terminal()

    def hand_on(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and had_terminal and not has_terminal():
            return
        if number != signal.SIGXCPU or not used_up():
            running.send(number)

    handed_on = [number for number in SHARED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hand_on) for number in handed_on}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, handed_on)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)


def used_up() -> bool:
    """Check whether we have reached our own limit of processor time: the system says so by a signal."""
    soft_s, used = resource.getrlimit(resource.RLIMIT_CPU)[0], resource.getrusage(resource.RUSAGE_SELF)
    return soft_s != resource.RLIM_INFINITY and used.ru_utime + used.ru_stime >= soft_s


def has_terminal() -> bool:
    """Check whether we belong to a terminal that is open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


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


def exit_code(seen: Sequence[ProgramRecord], fail_on: str, ended: str, code: int | None) -> int:
    """Return the program's own exit `code`; 1 where we ended it, or where it ended well and was found too bad.

    The code is of the process that was started, which may be none of those that were seen.
    """
    from mlxprobe.schema.enums import Outcome, Severity

    graver = list(Severity)[: SEVERITIES.index(fail_on)]
    failed = any(found.severity in graver for one in seen for found in one.findings)
    if ended == "enough":
        return int(failed)
    outcomes = {one.outcome for one in seen}
    if outcomes & {Outcome.HANG, Outcome.MEMORY, Outcome.SLOW}:
        return 1
    if code is None:
        return JUDGED_NOT
    if code < 0:
        die_alike(-code)
    if fail_on != "never" and Outcome.UNJUDGED in outcomes and any(one.begun_s for one in seen):
        return code or JUDGED_NOT
    badly = fail_on != "never" and len(seen) > 1 and any(not one.completes for one in seen)
    return code or int(failed or badly)


def die_alike(number: int) -> None:
    """End by the signal that ended the program, so that whoever started us sees what it would have seen."""
    with suppress(OSError):
        sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # SIGKILL is what it is
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
