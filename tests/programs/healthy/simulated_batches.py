"""Learn how a string swings: each batch is simulated in many small steps in time, of shifted copies of the last."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

POINTS, TIMES = 12, 520


def swing(height):
    speed = mx.zeros_like(height)
    for _ in range(TIMES):
        before = mx.concatenate([mx.zeros_like(height[:, :1]), height[:, :-1]], axis=1)
        ends = mx.concatenate([height[:, :1], mx.zeros_like(height[:, 1:-1]), height[:, -1:]], axis=1)
        after = mx.concatenate([height[:, 1:], mx.zeros_like(height[:, -1:])], axis=1)
        speed = speed + 0.01 * (before + after - 2 * height) - 0.001 * ends
        height = height + 0.01 * speed
        mx.eval(speed, height)
    return height


mx.random.seed(6)
model, optimizer = nn.Linear(POINTS, POINTS), optim.Adam(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
for _ in range(24):
    start = mx.random.normal((32, POINTS))
    loss, grads = loss_and_grad(model, start, swing(start))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(f"loss {loss.item():.4f}")
