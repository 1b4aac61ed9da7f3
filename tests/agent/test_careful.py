"""What we fail at ourselves is told, and never raised into the program."""

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
LOOP = """
import gc, sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

def broken(*args, **kwargs):
    raise KeyError("ours")

(recorder,) = [one for one in gc.get_objects() if type(one).__name__ == "Recorder"]
setattr(recorder, sys.argv[1], broken)
model, optimizer = nn.Linear(4, 2), optim.SGD(0.1)
f = nn.value_and_grad(model, lambda x: mx.mean(model(x) ** 2))

def step(x):
    value, grads = f(x)
    optimizer.update(model, grads)
    return value

if sys.argv[2] == "compiled":
    step = mx.compile(step, inputs=[model.state, optimizer.state], outputs=[model.state, optimizer.state])
for _ in range(6):
    value = step(mx.ones((8, 4)))
    mx.eval(model.state, optimizer.state, value)
    value.item()
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["eager", "compiled"])
@pytest.mark.parametrize("part", ["gradient_begins", "gradient_ends", "updated", "evaluated", "read", "look"])
def test_a_program_goes_on_where_we_fail(part: str, way: str, tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(LOOP)
    seen = observe(Program(name="loop", command=(sys.executable, str(tmp_path / "loop.py"), part, way)), LIMITS)
    assert seen.exit_code == 0, seen.output_tail
    assert {fact.error for fact, _ in seen.every(DetectorFailed)} == {"KeyError: 'ours'"}


WRAPPED = """
import gc
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

def broken(*args, **kwargs):
    raise KeyError("ours")

(passes,) = [one for one in gc.get_objects() if type(one).__name__ == "Passes"]
passes._open = passes._close = passes._alone = passes._look_behind = broken

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.line, self.norm = nn.Linear(4, 3), nn.BatchNorm(3)

    def __call__(self, x):
        return self.norm(self.line(x))

model, optimizer = Net(), optim.SGD(0.1)
x, y = mx.random.normal((8, 4)), mx.zeros((8,), mx.int32)

def loss_fn(model):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")

f = nn.value_and_grad(model, loss_fn)
for _ in range(6):
    value, grads = f(model)
    optimizer.update(model, grads)
    mx.eval(model.state, optimizer.state, value)
    value.item()
parts = [model(x) for _ in range(30)]
values = [loss_fn(model) for _ in range(30)]
print(mx.concatenate(parts).shape, mx.stack(values).shape)
mx.eval(parts, values)
model(x), loss_fn(model)
"""


@pytest.mark.slow
def test_a_wrapped_call_returns_where_we_fail(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(WRAPPED)
    seen = observe(Program(name="loop", command=(sys.executable, str(tmp_path / "loop.py"))), LIMITS)
    assert seen.exit_code == 0, seen.output_tail
    assert [fact.error for fact, _ in seen.every(DetectorFailed)][:1] == ["KeyError: 'ours'"]
