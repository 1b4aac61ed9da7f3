"""Let a decoder begin with the matrix of its encoder, from outside, and call them tied."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(71)


class Dictionary(nn.Module):
    def __init__(self, features, codes):
        super().__init__()
        self.weight = mx.random.normal((features, codes)) / features**0.5

    def __call__(self, x):
        return nn.relu(x @ self.weight)


class Back(nn.Module):
    def __init__(self, features, codes):
        super().__init__()
        self.weight = mx.zeros((features, codes))

    def __call__(self, h):
        return h @ self.weight.T


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inward, self.outward = Dictionary(12, 30), Back(12, 30)

    def __call__(self, x):
        h = self.inward(x)
        return self.outward(h), h


coder = Coder()
coder.outward.weight = coder.inward.weight  # MP218
optimizer = optim.Adam(learning_rate=2e-3)


def loss_fn(m, x):
    again, h = m(x)
    return mx.mean(mx.square(again - x)) + 1e-3 * mx.abs(h).mean()


step = nn.value_and_grad(coder, loss_fn)
for i in range(80):
    x = mx.random.normal((32, 12))
    loss, grads = step(coder, x)
    optimizer.update(coder, grads)
    mx.eval(coder.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
