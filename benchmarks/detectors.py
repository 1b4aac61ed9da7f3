"""How often watching finds a fault, with its code and in its function, and how often it raises a false alarm.

`python -m benchmarks.detectors [healthy N] [faulty N] [seed S] [into DIR]` draws random programs.
`python -m benchmarks.detectors folder DIR` takes those of DIR/healthy and DIR/faulty, with marks as in tests/programs.
What was missed or wrongly alarmed is kept in a folder, each program with what was found at its end.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from faulty_programs import FAULTS, faulty, source
from random_runs import Answer, watched

from mlxprobe.fuzz.training_programs.plan import plans

UNCHECKED = list(HealthCheck)
DEFAULTS = {"healthy": "100", "faulty": "200", "seed": "0", "into": "", "folder": ""}


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """Draw values, the same for the same number; each by itself, for Hypothesis varies what it has drawn before."""
    values: list[Any] = []
    for k in range(count):

        @seed(100_000 * number + k)
        @settings(
            max_examples=3, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=UNCHECKED
        )
        @given(strategy)
        def keep(value: Any) -> None:
            values.append(value)

        before = len(values)
        keep()
        del values[before:-1]  # the first is always the simplest
    return values


def write(folder: Path, healthy: int, faults: int, number: int) -> None:
    """Write random programs, each fault about as often as the others."""
    for kind in ("healthy", "faulty"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for k, plan in enumerate(drawn(plans(), healthy, number)):
        (folder / "healthy" / f"{k:03}.py").write_text(source(plan))
    for k, fault in enumerate(FAULTS):
        count = faults * (k + 1) // len(FAULTS) - faults * k // len(FAULTS)
        for index, (plan, _) in enumerate(drawn(faulty(fault), count, number + k)):
            (folder / "faulty" / f"{fault.replace(' ', '_')}_{index}.py").write_text(source(plan, fault))


def told(answer: Answer) -> str:
    """Say in lines what became of a program that did not go as it should."""
    lines = [f"{answer.file}: {answer.code} {answer.answer}".replace("  ", " ")]
    lines += [f"  beside it {one.code} at line {one.line} ({one.severity}): {one.message}" for one in answer.beside]
    if answer.answer != "quiet":
        others = [one for one in answer.findings if one not in answer.beside]
        lines += [f"  {one.code} at line {one.line} ({one.severity}): {one.message}" for one in others]
    return "\n".join([*lines, *[f"  {answer.failed}"] * bool(answer.failed)])


def is_right(answer: Answer) -> bool:
    """Tell whether a program got just what it should."""
    return answer.answer in ("found", "quiet") and not answer.beside and not answer.failed


def report(answers: Iterable[Answer], kept: Path) -> None:
    """Print the figures, and keep the programs that were not judged right."""
    by_code: dict[str, Counter[str]] = defaultdict(Counter)
    for one in answers:
        by_code[one.code][one.answer] += 1
        by_code[one.code]["alarmed"] += bool(one.beside)
        by_code[one.code]["failed"] += bool(one.failed)
        if not is_right(one):
            kept.mkdir(exist_ok=True)
            comment = "".join(f"# {line}\n" for line in told(one).splitlines())
            (kept / f"{one.file.parent.name}_{one.file.name}").write_text(f"{one.file.read_text()}\n{comment}")
            print(told(one))
    healthy = by_code.pop("", Counter())
    count = healthy["quiet"]
    print(f"healthy: {count} programs, {healthy['alarmed']} false alarms{share(healthy['alarmed'], count)}, "
          f"{healthy['failed']} failed")  # fmt: skip
    every: Counter[str] = sum(by_code.values(), Counter())
    for code, seen in [*sorted(by_code.items()), ("all", every)]:
        total = seen["found"] + seen["misplaced"] + seen["missed"]
        print(f"{code:6} {seen['found']:3} of {total:3} found{share(seen['found'], total)}, {seen['misplaced']} "
              f"elsewhere, {seen['missed']} missed, {seen['alarmed']} with another warning")  # fmt: skip
    print(f"kept in {kept}" if kept.is_dir() else "nothing to keep")


def share(part: int, whole: int) -> str:
    """Put a share in brackets; nothing of nothing."""
    return f" ({part / whole:.1%})" if whole else ""


def main() -> None:
    """Read the words, run the programs and report."""
    words = sys.argv[1:]
    asked = DEFAULTS | dict(zip(words[::2], words[1::2], strict=True))
    if asked.keys() != DEFAULTS.keys():
        sys.exit(__doc__)
    folder = Path(asked["folder"] or asked["into"] or tempfile.mkdtemp(prefix="mlxprobe-detectors-")).resolve()
    if not asked["folder"]:
        write(folder, int(asked["healthy"]), int(asked["faulty"]), int(asked["seed"]))
    files = [file for kind in ("healthy", "faulty") for file in sorted((folder / kind).glob("*.py"))]
    look = partial(watched, anywhere=bool(asked["folder"]))  # as tests/diagnosis/test_findings.py does
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        report(pool.map(look, files), folder / "kept" if not asked["folder"] else Path(tempfile.mkdtemp()) / "kept")


if __name__ == "__main__":
    main()
