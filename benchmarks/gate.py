"""The gate's errors: false alarms of a release against itself; power on steps a fifth slower and a peak 1.3 × as high.

`python -m benchmarks.gate false-alarms [GATES]`, `power [TRIALS]`, `environments`.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from mlxprobe.cluster.executor import Here
from mlxprobe.runner.programs import UserProgram
from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import scenario_tasks, side_by_side, user_tasks
from mlxprobe.settings.table import Settings, resolve
from mlxprobe.supervisor import interpreter
from mlxprobe.upgrade import gate
from mlxprobe.upgrade.diff import Change, Comparison

LOOP = Path(__file__).parent / "programs" / "scaled_loop.py"
RELEASES = ("0.31.2", "0.32.4")


def false_alarms(gates: int) -> None:
    """Gate all scenarios of this release against itself; tell alarms, and the time beside one run's."""
    from mlxprobe.catalogue import discovery

    settings, here = resolve({}), interpreter.usable()
    tasks = scenario_tasks(discovery.select(discovery.find()[0], []))
    alarms, ratios = 0, []
    for number in range(1, gates + 1):
        began = time.monotonic()
        side_by_side([Runner(settings, here)], tasks, Here(settings))
        once_s = time.monotonic() - began
        began = time.monotonic()
        said: list[str] = []
        found = gate.between(Runner(settings, here), Runner(settings, here), tasks, Here(settings), said.append)
        wrong = [one for one in found if one.change in (Change.REGRESSION, Change.FIXED, Change.CANNOT_TELL)]
        alarms += any(one.change is Change.REGRESSION for one in wrong)
        ratio = (time.monotonic() - began) / once_s
        ratios.append(ratio)
        told = "; ".join(f"{one.program}: {one.change}: {one.differences[0].text}" for one in wrong)
        repeated = sum(len(line.split("; ")) - 1 for line in said)
        print(
            f"gate {number}: {ratio:.2f} × one run of {once_s:.0f} s; {repeated} repeated; {told or 'nothing differs'}",
            flush=True,
        )
    print(f"{alarms} false alarms in {gates} gates; median {statistics.median(ratios):.2f} × one run")


def power(trials: int) -> None:
    """Gate a program against itself with more work, and with more memory, and count what is found."""
    settings = resolve({})
    for folder, what in (("slower", "time"), ("larger", "peak")):
        with tempfile.TemporaryDirectory() as place:
            python = _environment(place, folder)
            found = sum(_finds(settings, python, what) for _ in range(trials))
        print(f"{folder}: found in {found} of {trials}", flush=True)


def _environment(place: str, folder: str) -> str:
    """Make a virtual environment whose interpreter's path tells the loop to do more."""
    target = Path(place) / folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(target)], check=True)
    site = next(target.glob("lib/python*/site-packages"))
    (site / "ours.pth").write_text(str(next(Path(sys.prefix).glob("lib/python*/site-packages"))))
    return str(target / "bin" / "python")


def _finds(settings: Settings, python: str, what: str) -> bool:
    program = UserProgram(name="loop", command=("python", str(LOOP)), folder=str(LOOP.parent))
    before = Runner(settings, interpreter.usable())
    after = Runner(settings, interpreter.usable(python))
    (one,) = gate.between(before, after, user_tasks([program]), Here(replace(settings, jobs=1)), lambda _: None)
    return _regressed(one, what)


def _regressed(one: Comparison, what: str) -> bool:
    return any(
        found.what == what and found.change is Change.REGRESSION and not found.suspected for found in one.differences
    )


def environments() -> None:
    """Build two releases' environments anew and from the cache, and the same two with tox."""
    from mlxprobe.releases.environments import provide, remove
    from mlxprobe.releases.index import Release

    releases = [Release(name=one, version=one) for one in RELEASES]
    for release in releases:
        remove(Path(provide(release).executable).parents[1])
    for label in ("new", "cached"):
        for release in releases:
            began = time.monotonic()
            provide(release)
            print(f"mlxprobe, {release.name}, {label}: {time.monotonic() - began:.3f} s", flush=True)
    tox = shutil.which("tox", path=str(Path(sys.executable).parent)) or shutil.which("tox")
    if tox is None:
        print("tox is not installed: pip install tox")
        return
    with tempfile.TemporaryDirectory() as folder:
        backend = "" if sys.platform == "darwin" else "[cpu]"
        deps = "\n".join(f"    {one.replace('.', '')}: mlx{backend}=={one}" for one in RELEASES)
        names = ",".join(f"py-{one.replace('.', '')}" for one in RELEASES)
        (Path(folder) / "tox.ini").write_text(
            f"[tox]\nskipsdist = true\nenv_list = {names}\n[testenv]\ndeps =\n{deps}\n    numpy\n"
            "commands = python -c 'import mlx.core'\n"
        )
        began = time.monotonic()
        subprocess.run([tox, "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        print(f"tox, both: {time.monotonic() - began:.1f} s")


def main() -> None:
    """Dispatch."""
    what, *rest = sys.argv[1:] or ["false-alarms"]
    number = int(rest[0]) if rest else 20
    if what == "environments":
        environments()
    else:
        {"false-alarms": false_alarms, "power": power}[what](number)


if __name__ == "__main__":
    main()
