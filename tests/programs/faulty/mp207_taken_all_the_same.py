"""A loss scale that is halved after an overflow, whose gradient is applied all the same."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(5, 40), nn.Linear(40, 1)

    def __call__(self, x):
        return self.last(nn.relu(self.first(x)))


class Training:
    def __init__(self):
        self.master, self.half, self.scale = Net(), Net(), 2.0**24
        self.optimizer = optim.SGD(learning_rate=1e-2)
        self.gradient = nn.value_and_grad(self.half, self.loss)

    def loss(self, half, x, y):
        out = half(x.astype(mx.float16)).astype(mx.float32)  # MP207
        return mx.mean(mx.abs(out - y)) * self.scale

    def step(self, x, y):
        self.half.update(tree_map(lambda one: one.astype(mx.float16), self.master.parameters()))
        _, grads = self.gradient(self.half, x, y)
        grads = tree_map(lambda one: one.astype(mx.float32) / self.scale, grads)
        self.optimizer.update(self.master, grads)
        mx.eval(self.master.parameters(), self.optimizer.state)
        if not all(mx.isfinite(one).all().item() for _, one in tree_flatten(grads)):
            self.scale /= 2


mx.random.seed(6)
training = Training()
for step in range(60):
    x = mx.random.normal((16, 5))
    training.step(x, x[:, :1] * 2)
print(training.scale)
