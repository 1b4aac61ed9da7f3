"""Train bottlenecks whose last layer starts at zero beside a shortcut of the same shape, and factorised layers."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Bottleneck(nn.Module):
    def __init__(self, inputs, outputs, width):
        super().__init__()
        self.shortcut = nn.Linear(inputs, outputs)
        self.down = nn.Linear(inputs, width)
        self.up = nn.Linear(width, outputs)
        self.up.weight = mx.zeros_like(self.up.weight)

    def __call__(self, x):
        return self.shortcut(x) + self.up(nn.relu(self.down(x)))


class Factorised(nn.Module):
    """Linear layers of small rank with no full weight, one after the other."""

    def __init__(self, width, rank):
        super().__init__()
        self.query_a, self.query_b = nn.Linear(width, rank, bias=False), nn.Linear(rank, width, bias=False)
        self.out = nn.Linear(width, width)

    def __call__(self, x):
        return x + self.out(self.query_b(self.query_a(x)))


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


mx.random.seed(41)
model = nn.Sequential(Bottleneck(12, 32, 4), Factorised(32, 8), Bottleneck(32, 3, 2))
target = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 3))
optimizer = optim.Adam(learning_rate=5e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(60):
    x = mx.random.normal((64, 12))
    loss, grads = loss_and_grad(model, x, target(x))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
