"""Whether scenarios keep their verdicts with other sizes, seeds and optimizers.

`python -m benchmarks.varied [DRAWS [SCENARIO...]]`. What does not is run again with one kind of change at a time,
which tells the kind. The answer is Markdown, on stdout.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from mlxprobe.catalogue import discovery
from mlxprobe.catalogue.discovery import Entry
from mlxprobe.catalogue.variations import KINDS, written
from mlxprobe.cluster.executor import Here
from mlxprobe.reports.markdown import table
from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import scenario_tasks, side_by_side
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.table import resolve
from mlxprobe.supervisor import interpreter


def rows(entries: Sequence[Entry], number: int, kinds: Collection[str] = KINDS) -> dict[str, ProgramRecord]:
    """Run all programs of one draw, and return their rows by name."""
    settings = resolve({})
    with tempfile.TemporaryDirectory() as place:
        made = []
        for entry in entries:
            (folder := Path(place) / entry.name).mkdir()
            made.append(written(entry, number, folder, kinds))
        tasks = scenario_tasks([(one, one.variants) for one in made])
        with Here(settings) as here:
            return side_by_side([Runner(settings, interpreter.usable())], tasks, here)[0]


def told(row: ProgramRecord) -> str:
    """Say how a program ended, and with which findings."""
    return f"{row.outcome} [{' '.join(sorted({one.code for one in row.findings}))}]; {row.reason}"


def main() -> None:
    """Run every draw; tell what does not end as its scenario says, and by which kind of change."""
    draws, began = int(sys.argv[1]) if sys.argv[1:] else 1, time.monotonic()
    entries = discovery.select(discovery.find()[0], sys.argv[2:])
    lost, count = [], 0
    for number in range(draws):
        seen = rows([entry for entry, _ in entries], number)
        count += len(seen)
        print(f"draw {number}: {len(seen)} programs, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        names = {name.partition("/")[0] for name, row in seen.items() if not row.as_expected}
        again = [entry for entry, _ in entries if entry.name in names]
        alone = {kind: rows(again, number, [kind]) for kind in KINDS if again}
        for name, row in seen.items():
            if not row.as_expected:
                by = [kind for kind, found in alone.items() if not found[name].as_expected]
                lost.append((str(number), f"`{name}`", ", ".join(by) or "several at once", str(row.expects), told(row)))
    print(f"{count} programs in {draws} draws of {len(entries)} scenarios: {count - len(lost)} kept their verdict.\n")
    print("\n".join(table(("draw", "program", "by other", "expected", "given"), lost)))
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
