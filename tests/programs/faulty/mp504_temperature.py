"""Anneal the temperature of a layer, a Python number, while the step that uses it is compiled."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.table = nn.Linear(8, 5), 0.5 * mx.random.normal((5, 1))
        self.tau = 4.0

    def __call__(self, x):
        return mx.softmax(self.score(x) / self.tau, axis=-1) @ self.table  # MP504


mx.random.seed(2)
gate = Gate()
opt = optim.Adam(learning_rate=1e-2)
state = [gate.state, opt.state]
mx.eval(state)


def loss_fn(model, x, y):
    return mx.square(model(x)[:, 0] - y).mean()


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(gate, loss_fn)(gate, x, y)
    opt.update(gate, grads)
    return loss


for epoch in range(6):
    for _ in range(15):
        x = mx.random.normal((32, 8))
        loss = step(x, mx.where(x[:, 0] > 0, x[:, 1], -x[:, 2]))
        mx.eval(loss, state)
    gate.tau = max(0.5, gate.tau * 0.6)
    print(epoch, gate.tau, loss.item())
