"""Two noisy views of a row, drawn with one and the same key."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def noisy(rows, key):
    return rows + 0.5 * mx.random.normal(rows.shape, key=key)


mx.random.seed(94)
encoder, optimizer = nn.Linear(20, 8), optim.Adam(learning_rate=2e-3)


def loss_fn(left, right):
    scores = mx.tanh(encoder(left)) @ mx.tanh(encoder(right)).T
    return nn.losses.cross_entropy(scores, mx.arange(len(left)), reduction="mean")


gradient = nn.value_and_grad(encoder, loss_fn)
for step in range(120):
    rows, key = mx.random.normal((32, 20)), mx.random.key(step)
    loss, grads = gradient(noisy(rows, key), noisy(rows, key))  # MP318
    optimizer.update(encoder, grads)
    mx.eval(loss, encoder.parameters(), optimizer.state)
print(loss.item())
