"""Make the batches by a generator, once, before the epochs."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
inputs = mx.random.normal((256, 7))
labels = mx.argmax(inputs[:, :3], axis=1)


def cut(size):
    for start in range(0, 256, size):
        yield inputs[start : start + size], labels[start : start + size]


def train(epochs, batches):
    model = nn.Sequential(nn.Linear(7, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = optim.Adam(learning_rate=1e-3)
    step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    loss = mx.array(0.0)
    for epoch in range(epochs):
        for x, y in batches:  # MP313
            loss, grads = step(x, y)
            optimizer.update(model, grads)
            mx.eval(model.parameters(), optimizer.state)
        print(epoch, round(loss.item(), 3))


train(6, cut(16))
