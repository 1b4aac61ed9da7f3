"""Train on six micro-batches an update; the loop keeps the gradients of the last one."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

MICRO = 6

mx.random.seed(27)
model = nn.Sequential(nn.Linear(5, 24), nn.GELU(), nn.Linear(24, 2))
optimizer = optim.AdamW(learning_rate=5e-3)
mix = mx.random.normal((5, 2))


def loss_fn(model, x, y):
    return nn.losses.huber_loss(model(x), y, reduction="mean")


def micro_batches():
    for _ in range(MICRO):
        x = mx.random.normal((12, 5))
        yield x, mx.tanh(x @ mix)


def update():
    total = 0.0
    for x, y in micro_batches():
        loss, grads = loss_and_grad(model, x, y)
        total += loss.item()
    optimizer.update(model, grads)  # MP204
    mx.eval(model.parameters(), optimizer.state)
    return total / MICRO


loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(25):
    print(number, round(update(), 4))
