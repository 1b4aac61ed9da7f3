"""Train on logits, and measure by the logarithm of probabilities that come to 0 and 1."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)


def batch(rows, spread=1.0):
    x = spread * mx.random.normal((rows, 6))
    return x, (x[:, 0] + x[:, 1] > 0).astype(mx.float32)


def entropy(shares, y):
    return -mx.mean(y * mx.log(shares) + (1 - y) * mx.log(1 - shares))


model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = optim.Adam(learning_rate=0.02)
step = nn.value_and_grad(model, lambda x, y: nn.losses.binary_cross_entropy(model(x)[:, 0], y))
held_out = batch(300, spread=40.0)

for epoch in range(5):
    for _ in range(25):
        loss, gradients = step(*batch(64))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
    shares = mx.sigmoid(model(held_out[0])[:, 0])
    print(epoch, loss.item(), entropy(shares, held_out[1]).item())  # MP207
