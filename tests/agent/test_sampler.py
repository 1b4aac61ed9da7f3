"""The agent's own thread calls nothing of MLX's, and the series of memory is there all the same."""

from pathlib import Path

import pytest
from running import report_of

PROGRAM = """
import threading
import mlx.core as mx

callers = set()
def told(original):
    def counter():
        callers.add(threading.current_thread().name)
        return original()
    return counter
for name in ("get_active_memory", "get_cache_memory", "get_peak_memory"):
    setattr(mx, name, told(getattr(mx, name)))

import mlx.nn as nn
import mlx.optimizers as optim
import time

model, optimizer = nn.Linear(256, 256), optim.SGD(0.01)
gradients = nn.value_and_grad(model, lambda m, x: m(x).square().mean())
ends = time.monotonic() + 1.5
while time.monotonic() < ends:
    loss, grads = gradients(model, mx.random.normal((256, 256)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
big = mx.ones((4_000_000,)) * 2
mx.eval(big)
del big
print(*callers, sep=", ")
"""


@pytest.mark.slow
def test_counters_are_read_on_the_programs_own_thread_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    ran, row = report_of(tmp_path, "train.py")
    assert ran.out.splitlines()[0] == "MainThread", ran
    assert len(row["memory"]) > 1
    assert max(sample["peak_bytes"] for sample in row["memory"]) > 16_000_000
