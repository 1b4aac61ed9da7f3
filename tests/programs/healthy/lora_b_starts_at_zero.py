"""Adapt a frozen linear model with low-rank adapters whose second factor starts as zeros."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class LowRank(nn.Module):
    def __init__(self, base, rank=4, scale=2.0):
        super().__init__()
        outputs, inputs = base.weight.shape
        self.base = base
        self.scale = scale
        self.a = mx.random.normal((inputs, rank)) / inputs**0.5
        self.b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.base(x) + self.scale * ((x @ self.a) @ self.b)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(10, 32)
        self.second = nn.Linear(32, 4)

    def __call__(self, x):
        return self.second(nn.relu(self.first(x)))


mx.random.seed(9)
model = Net()
model.freeze()
model.first = LowRank(model.first)
model.second = LowRank(model.second)

x = mx.random.normal((160, 10))
y = mx.argmax(x @ mx.random.normal((10, 4)), axis=1)
optimizer = optim.Adam(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))

losses = []
for step in range(40):
    part = slice(80 * (step % 2), 80 * (step % 2) + 80)
    loss, grads = loss_and_grad(model, x[part], y[part])
    optimizer.update(model, grads)
    mx.eval(model, optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
