"""What a step costs that nobody looks at, in a figure that no machine changes: the functions of ours that it enters."""

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
LOOP = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
model, optimizer = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), optim.SGD(0.1)
x, entered = mx.ones((8, 4)), []
f = nn.value_and_grad(model, lambda model, x: mx.mean(model(x) ** 2))
def step(x):
    value, grads = f(model, x)
    optimizer.update(model, grads)
    return value
if sys.argv[1] == "compiled":
    step = mx.compile(step, inputs=[model.state, optimizer.state], outputs=[model.state, optimizer.state])
def heard(frame, event, arg):
    entered[-1] += event == "call" and "mlxprobe" in frame.f_code.co_filename
for number in range(300):
    entered.append(0)
    sys.setprofile(heard if number > 200 else None)
    value = step(x)
    mx.eval(model.state, optimizer.state)
    value.item()
    sys.setprofile(None)
print(sorted(entered[201:])[50])
"""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("way", "most"), [("eager", 46), ("compiled", 55)])  # wrappers of Python functions are two
def test_a_step_that_nobody_looks_at_enters_few_functions_of_ours(tmp_path: Path, way: str, most: int) -> None:
    (tmp_path / "loop.py").write_text(LOOP)
    seen = observe(Program(name="loop", command=(sys.executable, str(tmp_path / "loop.py"), way)), LIMITS)
    assert seen.exit_code == 0, seen.output_tail
    assert 0 < int(seen.output_tail.split()[-1]) <= most
