"""Read a loss now and then of a model that learns slowly, and of one that gathers its losses until the end."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(14)
rule = mx.random.normal((10, 3))


def train(steps, rate, read):
    model, optimizer = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3)), optim.SGD(learning_rate=rate)
    gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for step in range(steps):
        x = mx.random.normal((32, 10))
        loss, grads = gradient(x, mx.argmax(x @ rule, axis=1))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        read(step, loss)


train(300, 0.02, lambda step, loss: print(loss.item()) if step % 100 == 99 else None)
train(200, 0.1, lambda step, loss: None)
