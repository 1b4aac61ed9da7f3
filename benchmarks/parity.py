"""Give the same programs to Linux's own ways and to the portable ones, in turn, and count where the verdicts differ.

`python -m benchmarks.parity [RUNS] [CONDITION ...] [--scenario PATTERN ...] [--jobs N]`: all scenarios and hostile
children, quiet and busy, where nothing else is named. A verdict: outcome, kind of a hang, codes that follow from none.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.steadiness import CONDITIONS, Order
from mlxprobe.catalogue import discovery
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.record_io import load
from mlxprobe.schema.versions import HOSTILE
from mlxprobe.settings.table import resolve
from mlxprobe.system import PORTABLE, VARIABLE

NAMES = {"": "linux", PORTABLE: PORTABLE}  # by the variable's values
LIMITS = {
    "slow-rank/one_has_four": "each rank's own work is not distinguished (MP707)"
}  # as docs/guide/tested.md has them
Verdicts = dict[str, str]


def verdict(row: ProgramRecord) -> str:
    """Return a verdict in a few words."""
    codes = sorted({one.code for one in row.findings if not one.follows})
    return " ".join([str(row.outcome), *([str(row.kind)] if row.kind else []), *codes])


def verdicts(order: Order, platform: str, flags: list[str]) -> tuple[Verdicts, list[ProgramRecord]]:
    """Give the self-test these flags on one platform; return the verdicts, and what was not as expected."""
    with tempfile.TemporaryDirectory() as folder:
        bundle, log = Path(folder) / "parity.zip", Path(folder) / "log"
        with log.open("w") as file:
            subprocess.run(
                [*order, "selftest", "--bundle", str(bundle), *flags],
                stdout=file,
                stderr=file,
                cwd=folder,
                env=os.environ | {VARIABLE: platform},
                check=False,
            )
        if not bundle.is_file():
            raise SystemExit(f"the run left no record:\n{log.read_text()[-2000:]}")
        rows = load(bundle).programs
    return {row.name: verdict(row) for row in rows}, [row for row in rows if not row.as_expected]


def compare(order: Order, flags: list[str], number: int) -> Counter[str]:
    """Run both platforms once, who goes first by turns; print and count what differs and what was not expected."""
    found: dict[str, Verdicts] = {}
    counts: Counter[str] = Counter({"different": 0})
    for platform in list(NAMES)[:: 1 if number % 2 else -1]:
        began_s = time.monotonic()
        found[platform], unexpected = verdicts(order, platform, flags)
        counts[f"unexpected on {NAMES[platform]}"] += len(unexpected)
        print(f"  {NAMES[platform]}: {len(found[platform])} programs, {time.monotonic() - began_s:.0f} s", flush=True)
        for row in unexpected:
            print(f"    {row.name}: {row.outcome}: {row.reason}", flush=True)
    for name, told in found[""].items():
        other = found[PORTABLE].get(name, "nothing")
        if told != other:
            counts["a limit" if name in LIMITS else "different"] += 1
            print(f"    {name}: {told} | {other} {LIMITS.get(name, '')}", flush=True)
    counts["pairs"] += len(found[""])
    return counts


def main() -> None:
    """Print every difference, and the sums of each condition."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="?", type=int, default=10)
    parser.add_argument("conditions", nargs="*", default=["quiet", "busy"])
    parser.add_argument("--scenario", nargs="+")
    parser.add_argument("--jobs", default="2")
    given = parser.parse_args()
    entries, _ = discovery.find(resolve({}).scenarios)
    patterns = given.scenario or [HOSTILE, *(entry.name for entry in entries)]
    flags = ["--jobs", given.jobs, *(word for one in patterns for word in ("--scenario", one))]
    told = []
    for name in given.conditions:
        counts: Counter[str] = Counter()
        with CONDITIONS[name][0]() as order:
            for number in range(1, given.runs + 1):
                print(f"{name} {number}", flush=True)
                counts.update(compare(order, flags, number))
        told.append(
            f"{name}: {given.runs} runs of both: " + ", ".join(f"{count} {what}" for what, count in counts.items())
        )
    print(*told, sep="\n")


if __name__ == "__main__":
    main()
