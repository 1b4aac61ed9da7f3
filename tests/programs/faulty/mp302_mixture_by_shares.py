"""Which of three sources a batch is of is drawn by their shares, which are no logits."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
shares = mx.array([0.9, 0.08, 0.02])
rules = mx.random.normal((3, 5, 2))


def batch():
    source = mx.random.categorical(shares, num_samples=32)  # MP302
    x = mx.random.normal((32, 5)) + source[:, None]
    return x, (x[:, None] @ rules[source])[:, 0]


model, optimizer = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2)), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
for step in range(60):
    loss, grads = gradient(model, *batch())
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
