"""Skip records that cannot be parsed and go on when a log file cannot be written; training itself never fails."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


def raw_lines(rng, count):
    for number in range(count):
        x = rng.normal(size=3)
        yield "broken line" if number % 9 == 4 else f"{x[0]},{x[1]},{x[2]},{x[0] - 2 * x[2] + 1}"


def parse(lines):
    rows = []
    for line in lines:
        try:
            rows.append([float(word) for word in line.split(",")])
        except ValueError:
            continue
    table = np.array(rows, dtype=np.float32)
    return mx.array(table[:, :3]), mx.array(table[:, 3:])


def log(folder, step, loss):
    try:
        (folder / "missing" / "log.txt").write_text(f"{step} {loss}\n")
    except OSError:
        pass


rng = np.random.default_rng(70)
mx.random.seed(70)
model = nn.Linear(3, 1)
optimizer = optim.SGD(learning_rate=0.1, momentum=0.5, nesterov=True, dampening=0.0)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.log_cosh_loss(m(x), y, reduction="mean"))
losses = []
with tempfile.TemporaryDirectory() as folder:
    for step in range(40):
        x, y = parse(raw_lines(rng, 40))
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
        log(Path(folder), step, losses[-1])
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
