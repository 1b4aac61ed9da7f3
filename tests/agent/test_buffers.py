"""How many buffers are alive, foretold by what the agent sees, against a count that MLX's own allocator keeps."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from watching import GUARD_S

from mlxprobe.agent.compiled.retracing import Range
from mlxprobe.agent.compiled.trace_memory import Growth, outline
from mlxprobe.diagnosis import diagnose
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

PROGRAMS = Path(__file__).parents[1] / "programs" / "faulty"
LIMITS = Limits(stall_s=GUARD_S, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
LIMIT = 499_000
NEVER_EVALUATED = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(6)))
optimizer = optim.Adam(1e-3)
step = nn.value_and_grad(model, lambda model, x: mx.square(model(x)).mean())
for n in range(96):
    loss, grads = step(model, mx.array([[0.5, 1.0, 1.5, 2.0 + n]]))
    optimizer.update(model, grads)
    count()
"""
COUNTED = """
import ctypes, os, runpy, mlx.core as mx
live, counts = ctypes.CDLL(os.environ["LD_PRELOAD"]).live_buffers, []
live.restype = ctypes.c_long
def count(): counts.append(live())
evaluate = mx.eval
def counted(*args): evaluate(*args); count()
mx.eval = counted
try: runpy.run_path({file!r}, init_globals={{"count": count}})
finally: print(*counts)
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which MLX's buffers are counted."""
    import mlx

    (root,) = map(Path, mlx.__path__)
    library = root / "lib" / "libmlx.so"
    if not shutil.which("g++") or not library.is_file() or not (root / "include/mlx/allocator.h").is_file():
        pytest.skip("MLX's headers and g++ are needed, on Linux")
    made = tmp_path_factory.mktemp("counting") / "libcounting.so"
    source = Path(__file__).with_name("counting.cpp")
    words = [
        "g++",
        "-std=c++20",
        "-O1",
        "-fPIC",
        "-shared",
        f"-I{root / 'include'}",
        str(source),
        "-o",
        str(made),
        "-ldl",
    ]
    built = subprocess.run(words, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"this MLX's allocator is another: {built.stderr[:200]}")
    return {"LD_PRELOAD": str(made), "COUNTED": str(library)}


def really_alive(file: Path, counter: dict[str, str]) -> list[int]:
    """Return how many buffers were alive after each step of a program that nobody watches."""
    told = subprocess.run(
        [sys.executable, "-c", COUNTED.format(file=str(file))],
        env={**os.environ, **counter}, capture_output=True, text=True, timeout=GUARD_S, check=True,
    )  # fmt: skip
    return [int(word) for word in told.stdout.splitlines()[-1].split()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mp114_trainer", "mp114_other", "never_evaluated"])
def test_the_step_of_the_end_is_foretold_within_a_tenth(name: str, counter: dict[str, str], tmp_path: Path) -> None:
    file = PROGRAMS / f"{name}.py"
    if not file.is_file():
        file = tmp_path / "never_evaluated.py"
        file.write_text("count = globals().get('count', lambda: None)\n" + NEVER_EVALUATED)
    counts = really_alive(file, counter)
    steps, half = len(counts), len(counts) // 2
    per_step = (counts[-1] - counts[half - 1]) / (steps - half)
    ends = steps + (LIMIT - counts[-1]) / per_step
    seen = observe(Program(name=name, argv=("script", str(file)), python=sys.executable), LIMITS, jit_key="tests")
    (found,) = [one for one in diagnose(seen) if one.code == "MP114"]
    assert found.evidence["ends_at_step"] == pytest.approx(ends, rel=0.1), (counts, found)
    assert found.evidence["arrays"] == pytest.approx(counts[-1], rel=0.1), (counts, found)


GROWTHS = [
    ("steady", [(n, 18 * n) for n in (1, 2, 4, 8, 16, 32, 64)], 18.0),
    ("a jump at the start", [(1, 0), (2, 500), (4, 500), (8, 500), (16, 500), (32, 500)], 0.0),
    ("a jump of late", [(1, 5), (2, 5), (4, 5), (8, 5), (16, 5), (32, 900)], 0.0),
    ("lengths that come back", [(4, 400), (8, 800), (16, 1500), (32, 2400), (64, 2900)], 0.0),
    ("too soon", [(1, 5), (2, 9)], 0.0),
    ("up and down", [(4, 90), (8, 10), (16, 90), (32, 10), (64, 90)], 0.0),
]


@pytest.mark.parametrize(("marks", "right"), [case[1:] for case in GROWTHS], ids=[case[0] for case in GROWTHS])
def test_growth_is_what_goes_on(marks: list[tuple[int, int]], right: float) -> None:
    growth = Growth()
    for mark in marks:
        growth.mark(*mark)
    assert growth.per_step == right


def test_marks_are_few_and_the_last_is_among_them() -> None:
    growth = Growth()
    for step in range(1, 5000):
        growth.mark(step, 3 * step)
    assert growth.by(4999) == 3 * 4999
    assert growth.per_step == pytest.approx(3.0)
    assert len(growth._marks) < 60


def test_a_length_that_only_grows_has_no_range() -> None:
    growing, drawn = Range(8), Range(8)
    for length in range(9, 29):
        growing.take(length)
        drawn.take(8 + length * 7 % 20)
    assert growing.records == 20
    assert drawn.records < 10


def test_calls_are_told_apart_by_shapes_and_numbers() -> None:
    assert outline((mx.ones((2, 3)), 1)) == outline((np.ones((2, 3)), 1)) != outline((mx.ones((2, 4)), 1))
    assert outline((mx.ones((2, 3)), 1)) != outline((mx.ones((2, 3)), 2))
    assert outline(({"x": mx.ones(2)},)) != outline(({"x": mx.ones(3)},))
    assert outline(([[mx.ones(2)]],)) == outline(([[mx.ones(3)]],))  # deeper levels are not compared
