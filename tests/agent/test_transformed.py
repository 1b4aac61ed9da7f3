"""Losses without an order, and functions whose arrays have no values, are no failure of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import PRELUDE, report_of

EXPORTS = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 1)
    def __call__(self, x): return self.last(nn.relu(self.first(x)))
model, optimizer = Model(), optim.Adam(learning_rate=0.01)
gradients = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
def train(steps):
    for _ in range(steps):
        x = mx.random.normal((8, 4))
        loss, grads = gradients(model, x, x.sum(1, keepdims=True))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
train(5)
x = mx.ones((2, 4))
mx.export_function('one.mlxfn', lambda x: model(x), x)
mx.export_function('two.mlxfn', model, x)
with mx.exporter('more.mlxfn', lambda x: model(x)) as export:
    export(x)
    export(x[:1])
files = ('one.mlxfn', 'two.mlxfn', 'more.mlxfn')
print([mx.allclose(mx.import_function(file)(x)[0], model(x)).item() for file in files])
train(5)
"""
COMPLEX = f"""{PRELUDE}
def loss_fn(m, x, y): return nn.losses.mse_loss(m(x), y) * mx.array(1 + 0j)
gradients = nn.value_and_grad(model, loss_fn)
for _ in range(30):
    loss, grads = gradients(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(type(loss.item()).__name__)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("ends", "out"), [(EXPORTS, "[True, True, True]\n"), (COMPLEX, "complex\n")])
def test_nothing_of_ours_fails(ends: str, out: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ends)
    ran, row = report_of(tmp_path, "train.py")
    assert (ran.code, ran.out, ran.err) == (0, out, ""), ran
    assert "mlxprobe failed" not in [one["name"] for one in row.get("remarks", ())], row["remarks"]
    assert "inspector failed" not in str(row.get("unchecked"))
