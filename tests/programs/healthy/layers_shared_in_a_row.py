"""One layer in several places of a list, each given what the one before has made; two models of a class in turn."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(12), nn.Linear(12, 12)

    def __call__(self, x):
        return x + nn.gelu(self.inner(self.norm(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [Block()] * 4
        self.out = nn.Linear(12, 1)

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        return self.out(x)[:, 0]


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


mx.random.seed(1)
models = [Net(), Net()]
optimizers = [optim.Adam(learning_rate=3e-3) for _ in models]
gradients = [nn.value_and_grad(model, loss_fn) for model in models]
for _ in range(40):
    x = mx.random.normal((32, 12))
    for model, optimizer, gradient in zip(models, optimizers, gradients, strict=True):
        loss, grads = gradient(model, x, mx.sin(x[:, 0]) + x[:, 1])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
