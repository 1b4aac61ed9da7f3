"""What travels to another machine, and what is found again there."""

import threading
from pathlib import Path

import msgspec
import pytest
from making import HERE, scenario

from mlxprobe.catalogue.discovery import find, own_folder, read, select
from mlxprobe.cluster import serialization
from mlxprobe.cluster.worker import as_started
from mlxprobe.releases.index import Release
from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import Cell, flat, scenario_tasks
from mlxprobe.schema.errors import ProbeError
from mlxprobe.settings.table import resolve

RELEASE = Release(name="0.31.2", version="0.31.2")
THERE = msgspec.structs.replace(HERE, executable="/there/bin/python")


def sent(call: object, *words: object) -> tuple[object, tuple[object, ...]]:
    """Send a call to a machine with another environment and another word for the end."""
    settings = resolve({})
    finders: dict[str, serialization.Finder] = {
        "runner": lambda settings, environment, label: Runner(settings, environment, None, STOP, label, host="there"),
        "environment": lambda release, _: THERE if release == RELEASE else HERE,
        "scenario": serialization.scenario,
        "stop": lambda: STOP,
    }
    return serialization.unpack(serialization.pack(call, words, [(HERE, RELEASE, settings)]), finders)  # type: ignore[arg-type]


STOP = threading.Event()


def test_a_cell_arrives_with_that_machines_own_environment_and_scenario() -> None:
    tasks = scenario_tasks(select(find()[0], ["step2-hang"]))
    cell, _ = sent(Cell((Runner(resolve({}), HERE, label="[0.31.2] "),), tuple(flat(tasks)), "there"))
    assert isinstance(cell, Cell)
    (runner,) = cell.runners
    assert (runner.environment, runner.stop, runner.label, runner.host) == (THERE, STOP, "[0.31.2] ", "there")
    assert [task.name for task in cell.tasks] == [task.name for task in flat(tasks)]
    entry = cell.tasks[1].run.keywords["entry"]  # type: ignore[attr-defined]
    assert entry.file == own_folder() / "step2_hang.py" and entry.correct.name == "parameters_and_state_evaluated"


def test_mlxprobes_own_scenarios_have_no_path_on_their_way(tmp_path: Path) -> None:
    assert serialization.name_of(own_folder() / "step2_hang.py") == "step2_hang.py"
    assert serialization.name_of(tmp_path / "mine.py") == str((tmp_path / "mine.py").resolve())


def test_a_scenario_that_is_missing_or_another_one_is_told(tmp_path: Path) -> None:
    entry = read(scenario(tmp_path, "mine"))
    order = serialization.pack(print, (entry,), [])
    finders: dict[str, serialization.Finder] = {"scenario": serialization.scenario}
    assert serialization.unpack(order, finders)[1][0].name == "mine"
    entry.file.write_text(entry.file.read_text() + "\n# changed\n")
    with pytest.raises(ProbeError, match="is not the same"):
        serialization.unpack(order, finders)
    entry.file.unlink()
    with pytest.raises(ProbeError, match="the same place on every worker"):
        serialization.unpack(order, finders)


def test_programs_get_the_threads_that_dasks_nanny_takes_from_its_workers() -> None:
    pytest.importorskip("dask").config.set({"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1}})
    pytest.importorskip("distributed")
    assert as_started({"OMP_NUM_THREADS": "1", "HOME": "/h"}) == {"HOME": "/h"}
    assert as_started({"OMP_NUM_THREADS": "4"}) == {"OMP_NUM_THREADS": "4"}
