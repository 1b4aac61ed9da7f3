"""Step in a helper that updates, and update again by what it returns."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = optim.SGD(learning_rate=0.02, momentum=0.9)
weights = mx.random.normal((6, 1))


def fit_batch(x, y):
    loss, grads = nn.value_and_grad(model, lambda a, b: nn.losses.mse_loss(model(a), b))(x, y)
    grads, _ = optim.clip_grad_norm(grads, 1.0)
    optimizer.update(model, grads)
    return loss, grads


for step in range(60):
    x = mx.random.normal((16, 6))
    loss, grads = fit_batch(x, mx.sin(x @ weights))
    optimizer.update(model, grads)  # MP203
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 20 == 0:
        print(step, round(loss.item(), 4))
