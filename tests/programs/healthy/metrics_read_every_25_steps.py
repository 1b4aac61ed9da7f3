"""Two metrics are summed lazily, and read and reset every 25 steps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EVERY = 25
mx.random.seed(5)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))


def run(steps=200):
    hits, total, history = mx.array(0), mx.array(0.0), []
    for step in range(1, steps + 1):
        x = mx.random.normal((64, 8))
        y = mx.argmax(x[:, :4], axis=1)
        loss, grads = gradient(x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        hits = hits + mx.sum(mx.argmax(model(x), axis=1) == y)
        total = total + loss
        history.append(loss)
        if step % EVERY == 0:
            print(step, hits.item() / (EVERY * 64), total.item() / EVERY, mx.stack(history).max().item())
            hits, total, history = mx.array(0), mx.array(0.0), []


run()
