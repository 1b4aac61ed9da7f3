"""What was told of zero gradients is looked at again, whatever a look costs by then: it may be taken back."""

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.diagnosis import diagnose
from mlxprobe.protocol.facts.gradients import ZeroGradient
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
LOOP = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from mlxprobe.agent.sampling import overhead_budget as looks

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.later = nn.Linear(6, 3), nn.Linear(2, 3)

    def __call__(self, x, extra, weight):
        return self.first(x) + weight * self.later(extra)

mx.random.seed(1)
model, optimizer = Net(), optim.Adam(learning_rate=3e-3)
def loss_fn(model, x, extra, weight, y):
    return nn.losses.mse_loss(model(x, extra, weight), y)
gradients = nn.value_and_grad(model, loss_fn)
for step in range(300):
    if step == 100:
        looks.ONE_LOOK_S = looks.FIRST_S = looks.SHARE = 1e-9  # no look is paid for any more
    x, extra = mx.random.normal((16, 6)), mx.random.normal((16, 2))
    loss, grads = gradients(model, x, extra, mx.array(float(step >= 150)), x[:, :3] + extra.sum(axis=1, keepdims=True))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
"""


@pytest.mark.slow
def test_a_part_that_comes_in_late_is_no_longer_told_of(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(LOOP)
    seen = observe(Program(name="loop", argv=("script", str(tmp_path / "loop.py")), python=sys.executable), LIMITS)
    told = [fact.count for fact, _ in seen.every(ZeroGradient)]
    assert told[0] == 2 and told[-1] == 0
    assert "MP201" not in {one.code for one in diagnose(seen)}
    assert seen.steps[-1].n == 300
