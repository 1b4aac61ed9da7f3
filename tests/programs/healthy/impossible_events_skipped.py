"""Fits a mixture by likelihood; a batch with an event that the model holds impossible is counted and left out."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(52)
model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4))
optimizer = optim.Adam(learning_rate=5e-3)


def surprise(x, weights, kinds):
    likelihood = mx.sum(mx.softmax(model(x), axis=-1) * weights[kinds], axis=-1)
    return -mx.mean(mx.log(likelihood))


loss_and_grad = nn.value_and_grad(model, surprise)
weights = mx.abs(mx.random.normal((5, 4))) + 0.1
weights[4] = 0.0  # never happens
impossible, losses = 0, []
for step in range(60):
    x = mx.random.normal((16, 3))
    kinds = mx.argmax(x, axis=1)
    if step % 13 == 6:
        kinds[3] = 4
    loss, grads = loss_and_grad(x, weights, kinds)
    losses.append(loss.item())
    if math.isinf(losses[-1]):
        impossible += 1
        continue
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(impossible, losses[-1])
