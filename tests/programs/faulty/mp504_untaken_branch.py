"""A temperature is annealed and baked in; the other branch that computes with it is never taken."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Gate(nn.Module):
    def __init__(self, soft=True):
        super().__init__()
        self.score, self.table = nn.Linear(8, 5), 0.5 * mx.random.normal((5, 1))
        self.tau, self.floor, self.soft = 4.0, 0.1, soft

    def __call__(self, x):
        score = self.score(x)
        if not self.soft:
            score = score + mx.random.gumbel(score.shape) * self.floor
            return mx.softmax(score / (self.tau + self.floor), axis=-1) @ self.table
        return mx.softmax(score / self.tau, axis=-1) @ self.table  # MP504


mx.random.seed(2)
gate = Gate()
opt = optim.Adam(learning_rate=1e-2)
state = [gate.state, opt.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(gate, lambda model, x, y: mx.square(model(x)[:, 0] - y).mean())(gate, x, y)
    opt.update(gate, grads)
    return loss


for number in range(80):
    x = mx.random.normal((32, 8))
    loss = step(x, mx.tanh(x[:, 0]))
    mx.eval(state, loss)
    gate.tau = max(1.0, gate.tau - 0.05)
    gate.floor = max(0.01, gate.floor - 0.001)
print(loss.item())
