"""What users get: the wheel, installed into an environment below an odd folder, and used from an empty one.

Packages come from the index that uv is set up for, as they do for `make`.
"""

import json
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from running import own_environment
from uv import find_uv_bin
from watching import GUARD_S

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ODD = "mlx/lib/python3.11/site-packages/a ü b"
BUILD_WITHIN_S = 300
RUN_WITHIN_S = 1800  # all scenarios, also beside other work
BROKEN = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

model, optimizer = nn.Linear(4, 1), optim.Adam(0.01)
x = mx.random.normal((32, 4))
gradients = nn.value_and_grad(model, lambda m: (m(x) ** 2).mean())
for _ in range(40):
    loss, grads = gradients(model)
    optimizer.update(model, grads)  # MP101
mx.eval(model.parameters())
"""


class Installed(NamedTuple):
    """An environment with the wheel, and an empty folder to use it from."""

    mlxprobe: Path
    empty: Path

    def __call__(self, *words: str, within_s: float = GUARD_S) -> tuple[int, str]:
        done = subprocess.run(
            [str(self.mlxprobe), *words], cwd=self.empty, env=own_environment(), timeout=within_s, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return done.returncode, done.stdout


def uv(*words: str) -> None:
    done = subprocess.run([find_uv_bin(), *words], capture_output=True, text=True, timeout=BUILD_WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr


def mlx_backend() -> str:
    """Name the MLX to install: the release that is in use here."""
    extra = "[cpu]" if sys.platform == "linux" else ""
    return f"mlx{extra}=={metadata.version('mlx')}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheel and sdist, each from the sources."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--sdist", "--out-dir", str(folder), str(ROOT))
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("installed")
    home, empty = root / ODD / ".venv", root / "empty"
    home.parent.mkdir(parents=True)
    empty.mkdir()
    uv("venv", "--python", sys.executable, str(home))
    (wheel,) = built.glob("*.whl")
    uv("pip", "install", "--compile-bytecode", "--python", str(home / "bin" / "python"), str(wheel), mlx_backend())
    return Installed(home / "bin" / "mlxprobe", empty)


def test_the_sdist_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    uv("build", "--wheel", "--out-dir", str(tmp_path), str(sdist))
    (again,) = tmp_path.glob("*.whl")
    assert contents(again) == contents(wheel)
    names = set(contents(wheel))
    assert {name for name in names if "/_scenarios/" in name} == {
        f"mlxprobe/_scenarios/{one.name}" for one in (ROOT / "scenarios").glob("*.py")
    }
    programs = ROOT / "mlxprobe" / "selftest" / "programs"
    assert {name for name in names if "/selftest/programs/" in name} == {
        one.relative_to(ROOT).as_posix() for one in programs.rglob("*.py")
    }
    places = {"mlxprobe", f"mlxprobe-{version()}.dist-info", "mlxprobe-enable.pth"}
    assert {name.split("/")[0] for name in names} == places
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "tox.ini", "tests/test_wheel.py", "scenarios/step2_hang.py"} <= packed


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums, but the list of them."""
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist() if not one.filename.endswith("/RECORD")}


def version() -> str:
    return metadata.version("mlxprobe")


def test_all_scenarios_end_as_expected(installed: Installed) -> None:
    code, told = installed("run", "--format", "json", "--output", "record.json", within_s=RUN_WITHIN_S)
    rows: list[dict[str, Any]] = json.loads((installed.empty / "record.json").read_text())["programs"]
    assert [f"{one['scenario']}/{one['variant']}: {one['reason']}" for one in rows if not one["as_expected"]] == []
    assert code == 0, told
    scenarios = {one.stem.replace("_", "-") for one in (ROOT / "scenarios").glob("[!_]*.py")}
    assert {one["scenario"] for one in rows} == scenarios


def test_a_self_test_needs_nothing_but_the_wheel(installed: Installed) -> None:
    chosen = ("--scenario", "hostile-children/raises", "--scenario", "healthy-trainers/adapters")
    code, told = installed("selftest", "--bundle", "out.zip", *chosen)
    assert code == 0, told
    assert "2 programs, all as expected" in told
    assert contents(installed.empty / "out.zip").keys() == {"record.json", "doctor.txt", "versions.txt", "log.txt"}


def test_a_broken_script_is_told_with_its_line(installed: Installed) -> None:
    script = installed.mlxprobe.parents[2] / "train.py"
    script.write_text(BROKEN)
    code, told = installed("watch", "--fail-on", "error", str(script))
    line = next(number for number, text in enumerate(BROKEN.splitlines(), 1) if "MP101" in text)
    place = f"{script}:{line}: MP101 error unevaluated-update"
    assert "".join(place.split()) in "".join(told.split()), told  # however long lines are folded
    assert code == 1


def test_a_release_is_compared_with_itself(installed: Installed) -> None:
    here = f"python={installed.mlxprobe.with_name('python')}"
    code, told = installed("gate", "--baseline", here, "--candidate", here, "--scenario", "fork-after-eval")
    assert (code, "no regression (3 same)" in told) == (0, True), told
