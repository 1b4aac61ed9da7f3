"""`mlxprobe fuzz`: random programs held against references, and one release against another."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.common import INTERRUPTED, deliver, leave, with_report, with_settings
from mlxprobe.settings.checks import seconds
from mlxprobe.settings.table import Settings, resolve
from mlxprobe.values.errors import UsageError

if TYPE_CHECKING:
    from mlxprobe.fuzz.fuzzing import FuzzReport

PROGRAMS = 300


@click.command()
@click.option("--programs", type=click.IntRange(1), help=f"Run so many programs ({PROGRAMS}).")
@click.option("--for", "duration", metavar="TIME", help="Run for this long instead, such as 10min.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draw other programs (default: 0).")
@click.option("--ops", multiple=True, metavar="GLOB", help="Only these operations, as 'linalg.*'; repeatable.")
@click.option("--against", metavar="RELEASE", help="Run the same programs on this release too: what is new counts.")
@click.option("--on", "release", metavar="RELEASE", default="current", help="The release to judge (default: current).")
@click.option("--replay", metavar="ID", help="Run this one program again.")
@with_report(("text", "json", "markdown"))
@with_settings("jobs", "memory", "device", "requirements", timeout_s="30min a batch of 150", stall_s="10s")
def fuzz(
    programs: int | None,
    duration: str | None,
    seed: int,
    ops: tuple[str, ...],
    against: str | None,
    release: str,
    replay: str | None,
    form: str,
    output: Path | None,
    **flags: Any,
) -> None:
    """Run random programs of MLX's operations; exit 1 where something is wrong.

    Results are held against NumPy and SciPy in float64, derivatives against differences, and compiled, batched and
    strided calls against plain ones. With --against, only what that release does not show counts.
    """
    from mlxprobe.reports.fuzz import FUZZ_FORMATS
    from mlxprobe.values.files import check_writable

    settings, limit_s = resolve(flags), _seconds(duration)
    check_writable(output)
    count = programs or (None if limit_s else PROGRAMS)
    report = fuzzed(settings, [one for one in (against, release) if one], seed, ops, replay, count, limit_s)
    deliver(
        form,
        output,
        lambda name: FUZZ_FORMATS[name](report),
        lambda: click.echo(FUZZ_FORMATS["text"](report), nl=False),
    )
    leave(int(bool(report.new)) if report.complete else INTERRUPTED)


def _seconds(duration: str | None) -> float | None:
    try:
        return None if duration is None else seconds(duration)
    except ValueError:
        raise UsageError(f"--for: {duration!r} is not a time above zero, such as 90, 1.5s or 2min") from None


def fuzzed(
    settings: Settings,
    releases: list[str],
    seed: int,
    ops: tuple[str, ...],
    replay: str | None,
    count: int | None,
    limit_s: float | None,
) -> FuzzReport:
    """Run random programs on the releases, the last of which is judged.

    Raises:
        UsageError: Hypothesis is missing, or nothing fits `ops`.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise UsageError(
            "random programs are drawn with Hypothesis, which is not installed here: pip install 'mlxprobe[fuzz]'"
        )
    from mlxprobe.cli.display import Display
    from mlxprobe.fuzz.batch import Batches
    from mlxprobe.fuzz.fuzzing import Fuzzing
    from mlxprobe.fuzz.generate import cases, named, replayed
    from mlxprobe.upgrade.runners import Runners

    named(ops)
    programs = [replayed(replay)] if replay else cases(seed, ops)
    with Display() as display:
        runners = Runners(settings, display)
        there = [runners.runner(one).environment for one in releases]
        again = " again" if len({one.mlx for one in there}) < len(there) else ""
        sides = [Batches(one, settings, runners.stop, one.mlx + again * k) for k, one in enumerate(there)]
        fuzzing = Fuzzing(sides, settings.jobs, display.say)
        return fuzzing.run(programs, seed, 1 if replay else count, limit_s)
