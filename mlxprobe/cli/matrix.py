"""`mlxprobe matrix`, `merge` and `bisect`: many releases."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.chosen import Chosen, chosen
from mlxprobe.cli.common import (
    INTERRUPTED,
    JUDGED_NOT,
    NamedPath,
    check_output,
    deliver,
    foreign,
    leave,
    tell,
    with_report,
    with_scenarios,
    with_settings,
)
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.table import resolve
from mlxprobe.settings.validators import shown

if TYPE_CHECKING:
    from mlxprobe.fuzz.finding import FuzzReport
    from mlxprobe.upgrade.matrix import Matrix

MATRIX_FILE = Path("reports") / "matrix.json"


@click.command()
@click.argument("releases", nargs=-1, required=True, metavar="RELEASE...")
@click.option(
    "--matrix",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=MATRIX_FILE,
    show_default=True,
    help="Where cells are kept; cells that are there are not run again.",
)
@click.option("--shard", "part", default="1/1", metavar="I/N", help="Run only this part; `mlxprobe merge` joins them.")
@click.option(
    "--records",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each release's record to this folder too, as a baseline for `mlxprobe gate`.",
)
@click.option("--fresh", is_flag=True, help="Ignore what the file holds and start over.")
@click.option("--pre", is_flag=True, help="Let ranges include pre-releases.")
@click.option("--random", "programs", type=click.IntRange(1), help="Also run N random programs (see `fuzz`).")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draw other random programs (default: 0).")
@with_scenarios
@with_report(("text", "markdown", "json", "html"))
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios", "requirements", "on")
def matrix(
    releases: tuple[str, ...],
    file: Path,
    part: str,
    fresh: bool,
    records: Path | None,
    pre: bool,
    programs: int | None,
    seed: int,
    patterns: tuple[str, ...],
    form: str,
    output: Path | None,
    **flags: Any,
) -> None:
    """Run programs on many releases and show where outcomes change.

    With --random, random programs are run on all of them too: each finding tells the releases that show it.
    """
    from mlxprobe.cli.display import Display
    from mlxprobe.cli.fuzz import fuzzed
    from mlxprobe.cluster.executor import places
    from mlxprobe.cluster.runners import Runners
    from mlxprobe.releases.index import listed, ordered, parse
    from mlxprobe.schema.record_io import keep_baseline
    from mlxprobe.upgrade import matrix, matrix_run

    settings, shard = resolve(flags), matrix.shard(part)
    check_output(output, file)
    if programs and form not in ("text", "markdown"):
        raise UsageError(f"--random: has no {form}; right is text or markdown")
    some = chosen(settings, patterns, ())
    wanted = ordered([one for spec in releases for one in parse(spec, listed, pre=pre)])
    if not programs:
        _check_shard([(release.name, task.name) for release in wanted for task in some.tasks], shard)
    known = matrix.load(file) if file.exists() and not fresh else matrix.empty()
    with Display() as display, places(settings, display) as found:
        runners = [Runners(where, display) for where in found]
        filled = matrix_run.fill(known, wanted, some.tasks, runners, part=shard, file=file)
    more = None
    if programs and not runners[0].stop.is_set():
        names = [one.name for one in wanted if one.name not in filled.without]
        more = fuzzed(settings, names, seed, (), None, programs, None) if names else None
    _deliver(filled, form, output, more)
    if records is not None:
        for record in filled.records:
            keep_baseline(record, records)
    if runners[0].stop.is_set():
        leave(INTERRUPTED)
    leave(_decided(filled, some, more))


def _check_shard(cells: Sequence[tuple[str, str]], shard: tuple[int, int]) -> None:
    """Refuse a shard that gets none of the (release, program) pairs.

    Raises:
        UsageError: it gets none.
    """
    from mlxprobe.schema.metrics import counted
    from mlxprobe.upgrade.matrix import share

    if not share(cells, shard):
        part, every = "/".join(map(str, shard)), counted(len(cells), "program")
        raise UsageError(f"--shard {part}: has no program to run; all shards together have {every}")


def _decided(filled: Matrix, some: Chosen, more: FuzzReport | None) -> int:
    """Return the exit code; say why one is 2."""
    from mlxprobe.upgrade.decision import decide_many
    from mlxprobe.upgrade.matrix import labels

    rows = dict(zip(labels(filled.records), (one.programs for one in filled.records), strict=True))
    decision = decide_many(rows, some.named, broken=filled.broken, failed=filled.failed)
    why = decision.why or next(iter(some.broken.values()), "") or (more.problem if more else "")
    if why and decision.exit_code != 1:
        tell(why)
        return JUDGED_NOT
    return decision.exit_code


@click.command()
@click.argument("files", nargs=-1, required=True, type=NamedPath(path_type=Path), metavar="FILE...")
@with_report(("text", "markdown", "json", "html"))
def merge(files: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Join the matrix files of several shards, or the records of ranks that were watched on several hosts."""
    from mlxprobe.upgrade import history, matrix

    check_output(output, *files)
    found = history.parted(files)
    if isinstance(found, list):
        with foreign(files):
            return _deliver(matrix.merge(found), form, output)
    from mlxprobe.runner.merge_records import joined

    with foreign(files):
        return _deliver_ranks(joined(found), form, output)


def _deliver_ranks(found: Any, form: str, output: Path | None) -> None:
    from mlxprobe.reports import WATCH_FORMATS, diagnosis

    deliver(form, output, lambda name: WATCH_FORMATS[name](found), show=lambda: diagnosis.renderable(found))


def _deliver(found: Any, form: str, output: Path | None, random: Any = None) -> None:
    from mlxprobe.cli import report_inputs
    from mlxprobe.reports.fuzz import FUZZ_FORMATS
    from mlxprobe.reports.matrix import MATRIX_FORMATS

    forms = MATRIX_FORMATS | {"html": lambda matrix: report_inputs.page(matrix.records, (), matrix.without)}

    def told(name: str) -> str:
        return str(forms[name](found)) + ("\n" + FUZZ_FORMATS[name](random) if random else "")

    deliver(form, output, told)


@click.command()
@click.option("--good", required=True, metavar="RELEASE", help="A release without the trouble.")
@click.option("--bad", required=True, metavar="RELEASE", help="A release with it.")
@click.option("--scenario", metavar="NAME/VARIANT", help="The program, if it is a scenario's variant.")
@click.option(
    "--when",
    "condition",
    metavar="CONDITION",
    help="What makes a release bad: outcome=hang, finding=MP103, memory>1.5x, loss-diverges or exit!=0 "
    "(default: another outcome than --good's).",
)
@click.option(
    "--repeat", default=1, type=click.IntRange(1, 20), help="Run each release N times; one bad run makes it bad."
)
@click.option(
    "--find-fix", is_flag=True, help="Find the first release without the trouble: --bad is the older one then."
)
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios", "requirements", "on")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def bisect(
    good: str,
    bad: str,
    scenario: str | None,
    condition: str | None,
    repeat: int,
    find_fix: bool,
    command: tuple[str, ...],
    **flags: Any,
) -> None:
    """Find the first MLX release that shows a behaviour."""
    from mlxprobe.cli.display import Display
    from mlxprobe.cluster.executor import place
    from mlxprobe.cluster.runners import Runners
    from mlxprobe.releases.index import is_spec, listed, parse_one
    from mlxprobe.reports.bisection import render
    from mlxprobe.upgrade import bisect

    if bool(scenario) == bool(command):
        raise UsageError("bisect needs one program: --scenario NAME/VARIANT, or a command after --")
    settings, predicate = resolve(flags), bisect.condition(condition)
    task = bisect.only(chosen(settings, (scenario,) if scenario else (), command).tasks, scenario)
    for flag, end in (("--good", good), ("--bad", bad)):
        if not is_spec(end):
            raise UsageError(f"{flag}: {shown(end)} is not a release, such as 0.31.2")
    span = bisect.span(parse_one(good, listed), parse_one(bad, listed), listed(), find_fix=find_fix)
    with Display() as display, place(settings, display) as where:
        runners = Runners(where, display)
        search = bisect.BisectRun(
            runners=runners,
            task=task,
            predicate=predicate,
            identity=bisect.identity(task, command),
            repeat=repeat,
            find_fix=find_fix,
            told=display.say,
        )
        found = search.run(span)
    click.echo(render(found, shlex.join(["mlxprobe", *sys.argv[1:]])), nl=False)
    if runners.stop.is_set():
        leave(INTERRUPTED)
    if found.unclear:
        tell(f"the boundary falls among releases that could not be judged: {', '.join(found.unclear)}")
        leave(JUDGED_NOT)
