"""A program is watched whole, whichever of MLX's modules it imports first and however."""

import json
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from running import run, watch

pytestmark = pytest.mark.slow

PUBLIC = ("mlx.core", "mlx.nn", "mlx.optimizers", "mlx.utils")
INNER = ("mlx.nn.layers", "mlx.nn.losses", "mlx.nn.init", "mlx.nn.utils", "mlx.nn.layers.linear")
ORDERS = [
    *("\n".join(f"import {name}" for name in order) for order in permutations(PUBLIC)),
    *(f"import {name}" for name in (*INNER, "mlx.optimizers.optimizers", "mlx.optimizers.schedulers")),
    "from mlx.optimizers import SGD, clip_grad_norm, cosine_decay",
    "from mlx.optimizers.optimizers import *",
    "from mlx.utils import tree_map",
    "from mlx.nn import value_and_grad",
    "from mlx import optimizers",
    "import importlib\nimportlib.import_module('mlx.optimizers')",
    "import importlib\nimportlib.import_module('.optimizers', 'mlx')",
    "from importlib import util\nassert util.find_spec('mlx.optimizers') and util.find_spec('mlx.core')\n"
    "import mlx.optimizers",
    "def build():\n    import mlx.optimizers as optim\n    return optim.Adam\nbuild()",
    "import threading\nthread = threading.Thread(target=lambda: __import__('mlx.optimizers'))\n"
    "thread.start()\nthread.join()",
    "import threading\nnames = ['mlx.core', 'mlx.optimizers', 'mlx.utils', 'mlx.nn'] * 2\n"
    "threads = [threading.Thread(target=__import__, args=(name,)) for name in names]\n"
    "for thread in threads: thread.start()\nfor thread in threads: thread.join()",
]
TRAINS = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
mx.random.seed(0)
x = mx.random.normal((32, 4))
model, optimizer = nn.Linear(4, 1), optim.SGD(optim.cosine_decay(0.1, 40), momentum=0.9)
gradients = nn.value_and_grad(model, lambda m: (1e3 * (m(x) - x.sum(1, keepdims=True)) ** 2).mean())
for _ in range(40):
    loss, grads = gradients(model)
    grads, _ = optim.clip_grad_norm(grads, 1.0)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters())
"""
DRIVER = """
import subprocess, sys
from pathlib import Path
files = sorted(Path(sys.argv[1]).glob("order*.py"))
running = [subprocess.Popen([sys.executable, file]) for file in files[:2]]
for file in files[2:]:
    assert running.pop(0).wait() == 0
    running.append(subprocess.Popen([sys.executable, file]))
assert [one.wait() for one in running] == [0, 0]
"""


def seen(row: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of one process's report."""
    sheet = row["sheet"]
    if "optimizers" not in sheet:
        return {"sees no optimizer": row}
    (optimizer,) = sheet["optimizers"]
    return {
        "steps": row["steps"],
        "updates": sheet["updates"],
        "gradients": sheet["gradients"],
        "schedule": optimizer["schedule"],
        "span": optimizer["span"],
        "rates fall": optimizer["rates"][0][1] > optimizer["rates"][-1][1],
        "clipped": 0.9 < sheet["clip_norm"] < 1.1,
        "trained": sheet["model"]["trainable"],
    }


def test_every_order_of_imports_is_watched_whole(tmp_path: Path) -> None:
    for k, order in enumerate(ORDERS):
        (tmp_path / f"order{k:02}.py").write_text(f"{order}\n{TRAINS}")
    (tmp_path / "driver.py").write_text(DRIVER)
    ran = watch(
        tmp_path, "--format", "json", "--output", "report.json", "--", sys.executable, "driver.py", str(tmp_path)
    )
    rows = json.loads((tmp_path / "report.json").read_text())["programs"]
    assert ran.code in (0, 1), ran.err
    assert len(rows) == len(ORDERS), ran.err
    found = {Path(row["process"]["command"][1]).stem: seen(row) for row in rows}
    first = found["order00"]
    assert (first["steps"], first["updates"], first["gradients"], first["span"]) == (40, 40, 40, 40)
    assert first["schedule"] and first["rates fall"] and first["clipped"] and first["trained"] == 5
    assert {name: one for name, one in found.items() if one != first} == {}


@pytest.mark.parametrize("first", ["core", "optimizers"])
def test_a_fault_is_found_whichever_module_is_imported_first(first: str, tmp_path: Path) -> None:
    broken = TRAINS.replace("mx.eval(loss, model.parameters())", "mx.eval(loss)")
    (tmp_path / "train.py").write_text(f"import mlx.{first}\n{broken}")
    ran = watch(tmp_path, "--format", "json", "--output", "report.json", "train.py")
    (row,) = json.loads((tmp_path / "report.json").read_text())["programs"]
    assert "MP106" in [one["code"] for one in row["findings"]], ran.err


@pytest.mark.parametrize("enabled", ["by the environment", "before", "between", "after"])
def test_a_process_that_enables_itself_is_watched_whole(enabled: str, tmp_path: Path) -> None:
    enable = "import mlxprobe\nmlxprobe.enable()\n"
    before, between = (enable if enabled == one else "" for one in ("before", "between"))
    source = TRAINS.replace("mx.random.seed(0)", enable) if enabled == "after" else TRAINS
    (tmp_path / "train.py").write_text(f"{before}import mlx.optimizers\n{between}import mlx.core\n{source}")
    changes = {"MLXPROBE_ENABLE": "1"} if enabled == "by the environment" else {}
    ran = run([sys.executable, "train.py"], tmp_path, **changes)
    assert (ran.code, ran.out) == (0, "")
    for line in ("updates   40\n", "clipping  by norm, to 1\n", "optimizer SGD, rate 0.1 → "):
        assert line in ran.err
