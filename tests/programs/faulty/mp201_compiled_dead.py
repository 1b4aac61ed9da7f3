"""Train a regression in a compiled step; the first layer's biases lie so low that none of its units is ever on."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Regression(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8, 32)
        self.hidden.bias = mx.full((32,), -40.0)
        self.wide = nn.Linear(8, 16)
        self.out = nn.Linear(48, 1)

    def __call__(self, x):
        return self.out(mx.concatenate([nn.relu(self.hidden(x)), mx.tanh(self.wide(x))], axis=-1)).squeeze(-1)


def train(model, steps=16):
    optimizer = optim.Adam(learning_rate=0.01)
    state = [model.state, optimizer.state]
    gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, grads = gradient(model, x, y)  # MP201
        optimizer.update(model, grads)
        return loss

    for _ in range(steps):
        x = mx.random.normal((64, 8))
        loss = step(x, mx.sin(x[:, 0]) + x[:, 1])
        mx.eval(loss, state)
    return loss.item()


mx.random.seed(9)
model = Regression()
mx.eval(model.parameters())
print(train(model))
