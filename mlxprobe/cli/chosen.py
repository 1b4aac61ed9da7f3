"""The programs that gate, matrix and bisect run: scenarios, the project's own, or a command."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlxprobe.cli.common import tell
from mlxprobe.settings.project import project_table
from mlxprobe.settings.table import Settings

if TYPE_CHECKING:
    from mlxprobe.runner.schedule import Task


class Chosen(NamedTuple):
    """Tasks, the names of the programs that the user asked for by name, and the scenario files that are no scenarios.

    By name: a command, an entry of [tool.mlxprobe.programs], and `--scenario` without a wildcard.
    """

    tasks: list[Task]
    named: frozenset[str]
    broken: dict[str, str]


def chosen(settings: Settings, patterns: Sequence[str], command: Sequence[str]) -> Chosen:
    """Choose the programs: a command alone, or the chosen scenarios and, without a choice, the project's own."""
    from mlxprobe.catalogue import discovery
    from mlxprobe.runner import programs
    from mlxprobe.runner.schedule import flat, scenario_tasks, user_tasks

    if command:
        tasks = user_tasks([programs.ad_hoc(command)])
        return Chosen(tasks, frozenset(one.name for one in tasks), {})
    entries, broken = discovery.find(settings.scenarios)
    for one in broken:  # a scenario that is chosen by name may be in such a file
        tell(one.problem)
    problems = {str(one.file): one.problem for one in broken}
    own = programs.declared(*project_table(Path.cwd()))
    if not patterns:
        mine = user_tasks(own)
        return Chosen(
            scenario_tasks(discovery.select(entries, ())) + mine, frozenset(one.name for one in mine), problems
        )
    names = [pattern.removeprefix("programs/") for pattern in patterns]
    mine = user_tasks([one for one in own if any(fnmatch.fnmatchcase(one.name, name) for name in names)])
    rest = [
        pattern
        for pattern, name in zip(patterns, names, strict=True)
        if not fnmatch.filter([p.name for p in own], name)
    ]
    some = scenario_tasks(discovery.select(entries, rest)) if rest else []
    asked = {one.name for one in flat(some) if any(_is_named(one.name, pattern) for pattern in rest)}
    return Chosen(some + mine, frozenset(asked | {one.name for one in mine}), problems)


def every_name(settings: Settings) -> list[str]:
    """Name all programs that a gate could run, whatever was chosen: the scenarios' and the project's own."""
    from mlxprobe.catalogue import discovery
    from mlxprobe.runner import programs
    from mlxprobe.runner.schedule import flat, scenario_tasks, user_tasks

    scenarios = scenario_tasks(discovery.select(discovery.find(settings.scenarios)[0], ()))
    return [one.name for one in flat(scenarios + user_tasks(programs.declared(*project_table(Path.cwd()))))]


def _is_named(program: str, pattern: str) -> bool:
    """Check whether a pattern is a scenario's name, or a variant's, and no wildcard."""
    program, pattern = (one.replace("_", "-") for one in (program, pattern))
    return not re.search(r"[*?\[]", pattern) and (program == pattern or program.startswith(f"{pattern}/"))
