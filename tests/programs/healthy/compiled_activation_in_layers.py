"""Train with a compiled activation, called inside the gradient, inside a compiled step and on its own."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(62)


@partial(mx.compile, shapeless=True)
def gated(x, gate):
    return x * mx.sigmoid(gate)


class Gated(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.value = nn.Linear(6, inner)
        self.gate = nn.Linear(6, inner)
        self.out = nn.Linear(inner, 6)

    def __call__(self, x):
        return x + self.out(gated(self.value(x), self.gate(x)))


model = nn.Sequential(Gated(8), Gated(16), Gated(24), nn.Linear(6, 1))
optimizer = optim.Adam(learning_rate=0.01)
state = [model.state, optimizer.state]


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


loss_and_grad = nn.value_and_grad(model, loss_fn)


def step(x, y):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    return loss


compiled_step = mx.compile(step, inputs=state, outputs=state)


def batch(rows):
    x = mx.random.normal((rows, 6))
    return x, mx.sin(x.sum(axis=1, keepdims=True))


for epoch in range(4):
    for number in range(12):
        loss = (step if epoch == 0 else compiled_step)(*batch(48))
        mx.eval(loss, state)
    print(f"epoch {epoch}: {loss.item():.3f}, validation {loss_fn(model, *batch(64)).item():.3f}")
