"""Keep the weights of the best epoch, and go back to them at the end; what is kept is the model itself."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(41)
x, y = mx.random.normal((96, 12)), mx.random.normal((96,))
y = y + x[:, 0] * x[:, 1]
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = optim.AdamW(learning_rate=3e-3)


def loss_fn(model, x, y):
    return nn.losses.huber_loss(model(x).squeeze(-1), y, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
best, kept = float("inf"), None
for epoch in range(60):
    loss, grads = step(model, x[:64], y[:64])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    left_out = loss_fn(model, x[64:], y[64:]).item()
    if left_out < best:
        best, kept = left_out, model.state
model.update(kept)  # MP222
print(f"best {best:.3f}, now {loss_fn(model, x[64:], y[64:]).item():.3f}")
