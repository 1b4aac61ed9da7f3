"""A recurrent network whose first update is so large that the next loss overflows."""
# also: MP207

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Counter(nn.Module):
    def __init__(self, inputs=2, hidden=24):
        super().__init__()
        self.into = nn.Linear(inputs, hidden)
        self.again = mx.eye(hidden) + 0.01 * mx.random.normal((hidden, hidden))
        self.out = nn.Linear(hidden, 1)

    def __call__(self, x):
        h = mx.zeros((x.shape[0], self.again.shape[0]))
        for t in range(x.shape[1]):
            h = nn.relu(self.into(x[:, t]) + h @ self.again)
        return self.out(h)[:, 0]


def train(steps=40):
    mx.random.seed(0)
    model, optimizer = Counter(), optim.SGD(learning_rate=0.05)
    gradient = nn.value_and_grad(model, lambda m, x, y: mx.square(m(x) - y).mean())
    for _ in range(steps):
        x = mx.random.uniform(shape=(32, 48, 2))
        loss, grads = gradient(model, x, x[..., 0].sum(axis=1))  # MP208
        optimizer.update(model, grads)
        mx.eval(model.parameters(), loss)
        print(loss.item())


train()
