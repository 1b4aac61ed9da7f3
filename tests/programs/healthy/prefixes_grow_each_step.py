"""All series at once, of which each step sees two moments more, up to their end: a curriculum."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

MOMENTS = 80
mx.random.seed(5)
phases = mx.random.uniform(0, 6, (12, 1))
series = mx.sin(0.3 * mx.arange(MOMENTS) + phases) + 0.05 * mx.random.normal((12, MOMENTS))
model = nn.Sequential(nn.Conv1d(1, 8, 3), nn.ReLU(), nn.Linear(8, 1))
optimizer = optim.Adam(learning_rate=1e-2)
mx.eval(series, model.parameters())


def loss_fn(model, some):
    return nn.losses.mse_loss(model(some[:, :-1, None])[..., 0], some[:, 3:])


loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(70):
    loss, grads = loss_and_grad(model, series[:, : min(MOMENTS, 6 + 2 * step)])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
