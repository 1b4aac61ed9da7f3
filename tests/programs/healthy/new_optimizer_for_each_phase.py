"""Train in phases with falling rates, each with an optimizer of its own; the last one gets its state handed on."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(81)
model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 3))
x = mx.random.normal((256, 5))
y = mx.argmax(x[:, :3], axis=1)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))


def phase(rate, state=None):
    optimizer = optim.Adam(learning_rate=rate)
    if state is not None:
        optimizer.state = state
    for step in range(12):
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(f"rate {rate}: {loss.item():.4f}")
    return optimizer.state


for rate in (1e-2, 5e-3, 2e-3, 1e-3):
    state = phase(rate)
for _ in range(5):
    state = phase(1e-3, state)
