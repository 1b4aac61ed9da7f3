"""`mlxprobe fuzz`: random programs held against references, and one release against another."""

from __future__ import annotations

import importlib.util
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.common import INTERRUPTED, JUDGED_NOT, deliver, duration, leave, tell, with_report, with_settings
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.table import Settings, resolve
from mlxprobe.settings.validators import shown

if TYPE_CHECKING:
    from mlxprobe.cli.display import Display
    from mlxprobe.cluster.runners import Runners
    from mlxprobe.fuzz.batch import Batches
    from mlxprobe.fuzz.finding import FuzzReport

PROGRAMS = 300
DEVICES = ("cpu", "gpu")


@click.command()
@click.option("--programs", type=click.IntRange(1), help=f"Run N programs ({PROGRAMS}).")
@click.option("--for", "limit", metavar="TIME", help="Run for this long instead, such as 10min.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draw other programs (default: 0).")
@click.option("--ops", multiple=True, metavar="GLOB", help="Only these operations, as 'linalg.*'; repeatable.")
@click.option("--list-ops", "lists", is_flag=True, help="List the operations, those of --ops or all, and run nothing.")
@click.option(
    "--against",
    metavar="RELEASE|cpu|gpu",
    help="Run the same programs on this release, or this device, too: what is new counts.",
)
@click.option("--candidate", default="current", metavar="RELEASE", help="The release to judge (default: current).")
@click.option("--bisect", "bisects", is_flag=True, help="Look for the releases between which each finding holds.")
@click.option("--replay", metavar="ID", help="Run this one program again.")
@with_report(("text", "json", "markdown"))
@with_settings("jobs", "memory", "device", "requirements", "on", timeout_s="30min a batch of 50", stall_s="10s")
def fuzz(
    programs: int | None,
    limit: str | None,
    seed: int,
    ops: tuple[str, ...],
    lists: bool,
    against: str | None,
    candidate: str,
    bisects: bool,
    replay: str | None,
    form: str,
    output: Path | None,
    **flags: Any,
) -> None:
    """Run random programs of MLX's operations; exit 1 where something is wrong.

    A program calls one operation twelve times, with other arguments each time, or is a short training. Results are held
    against NumPy and SciPy in float64, derivatives against differences, and compiled, batched and strided calls against
    plain ones; where JAX is installed (extra `jax`), derivatives and layers against it too.
    With --against, only what that release or device does not show counts.
    """
    from mlxprobe.reports.fuzz import FUZZ_FORMATS
    from mlxprobe.schema.record_io import check_writable

    settings, limit_s = resolve(flags), duration("--for", limit)
    _check_named(against, candidate)
    if lists:
        click.echo("\n".join(_operations(ops)))
        return
    check_writable(output)
    count = programs or (None if limit_s else PROGRAMS)
    releases = [candidate] if against is None else [against, candidate]
    report = fuzzed(settings, releases, seed, ops, replay, count, limit_s, bisects=bisects)
    deliver(form, output, lambda name: FUZZ_FORMATS[name](report))
    if report.complete and report.problem:
        tell(report.problem)
        leave(JUDGED_NOT)
    leave(int(bool(report.new)) if report.complete else INTERRUPTED)


def _check_named(against: str | None, candidate: str) -> None:
    """Refuse what names no release before anything runs; an empty name is none, and no wish for no comparison.

    Raises:
        UsageError: one of them is neither a release nor, with another target, a device.
    """
    from mlxprobe.releases.index import ACCEPTED, is_spec

    if against is not None and against not in DEVICES and not is_spec(against):
        raise UsageError(f"--against: {shown(against)} is neither cpu, gpu nor {ACCEPTED}")
    if not is_spec(candidate):
        raise UsageError(f"--candidate: {shown(candidate)} is not {ACCEPTED}")


def _operations(ops: tuple[str, ...]) -> list[str]:
    """Return the names of the operations that fit, or of all; raises UsageError as `fuzzed` does."""
    _check_drawn()
    from mlxprobe.fuzz.generate import named

    return named(ops)


def _check_drawn() -> None:
    if importlib.util.find_spec("hypothesis") is None:
        raise UsageError(
            "random programs are drawn with Hypothesis, which is not installed here: pip install 'mlxprobe[fuzz]'"
        )


def fuzzed(
    settings: Settings,
    releases: list[str],
    seed: int,
    ops: tuple[str, ...],
    replay: str | None,
    count: int | None,
    limit_s: float | None,
    *,
    bisects: bool = False,
) -> FuzzReport:
    """Run random programs on the releases, the last of which is judged; bisect what they show.

    Raises:
        UsageError: Hypothesis is missing, or nothing fits `ops`.
    """
    _check_drawn()
    from mlxprobe.cli.display import Display
    from mlxprobe.cluster.executor import place
    from mlxprobe.cluster.runners import Runners
    from mlxprobe.fuzz.generate import cases, named, replayed
    from mlxprobe.fuzz.session import Fuzzing

    named(ops)
    warnings.simplefilter("ignore")  # NumPy's, of what is not finite; for all threads, which no `catch_warnings` is
    programs = [replayed(replay)] if replay else cases(seed, ops)
    with Display() as display, place(settings, display) as where:
        runners = Runners(where, display)
        sides = _sides(releases, runners)
        fuzzing = Fuzzing(sides, where.width, display.say)
        report = fuzzing.run(programs, seed, 1 if replay else count, limit_s)
        return _bisected(report, runners, display) if bisects and report.findings and report.complete else report


def _sides(names: list[str], runners: Runners) -> list[Batches]:
    """Return what runs cases on each release, the last of which may stand beside a device of its own."""
    from mlxprobe.fuzz.batch import Batches
    from mlxprobe.supervisor.interpreter import on_device

    others = {one: runners.baseline(one).environment for one in names[:-1] if one not in DEVICES}
    last = runners.runner(names[-1]).environment
    there = [others[one] if one in others else on_device(last, one) for one in names[:-1]]
    there += [last]
    if len({one.device for one in there}) > 1:
        return [Batches(one, runners.place, f"{one.mlx} on {one.device}") for one in there]
    again = " again" if len({one.mlx for one in there}) < len(there) else ""
    return [Batches(one, runners.place, one.mlx + again * k) for k, one in enumerate(there)]


def _bisected(report: FuzzReport, runners: Runners, display: Display) -> FuzzReport:
    """Look up to the release that was judged for those between which the findings hold."""
    import msgspec

    from mlxprobe.fuzz.batch import Batches
    from mlxprobe.fuzz.finding_bisect import Ranges
    from mlxprobe.releases.index import Release, listed

    def batches(name: str) -> Batches:
        return Batches(runners.of(Release(name=name, version=name)).environment, runners.place)

    last, began_s = report.environments[-1].mlx, time.monotonic()
    known = listed()
    names = known[: known.index(last) + 1] if last in known else known
    found = Ranges(names, batches, display.say).of(report.findings)
    return msgspec.structs.replace(report, findings=tuple(found), wall_s=report.wall_s + time.monotonic() - began_s)
