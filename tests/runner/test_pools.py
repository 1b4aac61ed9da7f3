"""Pools of multiprocessing: `Pool.terminate` is no crash, and workers that use NumPy alone are healthy."""

import json
import sys
from pathlib import Path

import pytest
from running import MLXPROBE, run

pytestmark = pytest.mark.slow
TRAINS = """
import multiprocessing, sys
{parent}
def work(k):
    import mlx.core as mx
    f = mx.value_and_grad(lambda w: ((w - k) ** 2).sum())
    w = mx.zeros((3,))
    for _ in range(5):
        value, gradient = f(w)
        w = w - 0.3 * gradient
        mx.eval(w, value)
    return round(value.item(), 4)

if __name__ == "__main__":
    with multiprocessing.get_context("{way}").Pool(2) as pool:
        print(sorted(pool.map(work, range(4))))
"""


@pytest.mark.parametrize("parent", ["", "import mlx.core"], ids=["a parent without MLX", "a parent with MLX"])
@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_a_pool_that_ends_its_workers_has_not_crashed(way: str, parent: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS.format(way=way, parent=parent))
    order = ["watch", "--format", "json", "--output", "report.json", "--", sys.executable, "train.py"]
    ran = run([*MLXPROBE, *order], tmp_path)
    assert ran.code == 0, ran.err
    programs = json.loads((tmp_path / "report.json").read_text())["programs"]
    assert programs
    for one in programs:
        assert (one["outcome"], one.get("findings", []), one.get("remarks", [])) == ("pass", [], [])
