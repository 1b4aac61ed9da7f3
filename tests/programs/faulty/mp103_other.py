"""Trains a linear head on the features of a frozen random projection, with a cache for the features."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EPOCHS, BATCHES, BATCH, INPUTS, FEATURES = 6, 8, 192, 16, 2048

mx.random.seed(4)
projection = nn.Sequential(nn.Linear(INPUTS, FEATURES), nn.ReLU())
projection.freeze()
head = nn.Linear(FEATURES, 1)
optimizer = optim.Adam(learning_rate=1e-3)

x = mx.random.normal((BATCHES, BATCH, INPUTS))
y = mx.sin(x[..., :1]) + 0.5 * x[..., 1:2]
mx.eval(projection.parameters(), head.parameters(), x, y)

cache = {}


def features_of(epoch, index):
    key = (epoch, index)
    if key not in cache:
        features = projection(x[index])
        mx.eval(features)
        cache[key] = features  # MP103
    return cache[key]


loss_and_grad = nn.value_and_grad(head, lambda features, target: nn.losses.mse_loss(head(features), target))
for epoch in range(EPOCHS):
    total = 0.0
    for index in range(BATCHES):
        loss, grads = loss_and_grad(features_of(epoch, index), y[index])
        optimizer.update(head, grads)
        mx.eval(loss, head.parameters(), optimizer.state)
        total += loss.item()
    print(f"epoch {epoch}: {total / BATCHES:.4f}")
