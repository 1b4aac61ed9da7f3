"""Train matrices with AdamW, everything one-dimensional with plain SGD, through one MultiOptimizer."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(7, 32)
        self.norm = nn.RMSNorm(32)
        self.second = nn.Linear(32, 2)

    def __call__(self, x):
        return self.second(self.norm(mx.tanh(self.first(x))))


def is_matrix(path, weight):
    return weight.ndim == 2


mx.random.seed(66)
x = mx.random.normal((192, 7))
y = mx.stack([mx.sin(x[:, 0]) + x[:, 1], x[:, 2] - x[:, 3]], axis=1)
model = Net()
optimizer = optim.MultiOptimizer(
    [optim.AdamW(learning_rate=0.02), optim.SGD(learning_rate=0.05)],
    [is_matrix],
)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
losses = []
for _ in range(35):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
