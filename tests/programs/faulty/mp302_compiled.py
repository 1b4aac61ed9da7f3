"""Train a classifier with a compiled step that logs every call of its Python, and takes the log of a softmax."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

traced = []


def nll(model, x, y):
    log_p = mx.log(mx.softmax(model(x), axis=-1))  # MP302
    return -mx.mean(mx.take_along_axis(log_p, y[:, None], axis=-1))


def trainer(model, optimizer):
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        traced.append(x.shape)
        loss, grads = nn.value_and_grad(model, nll)(model, x, y)
        optimizer.update(model, grads)
        return loss

    return step, state


mx.random.seed(2)
step, state = trainer(nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3)), optim.SGD(learning_rate=0.1))
for _ in range(10):
    x = mx.random.normal((16, 6))
    loss = step(x, mx.argmax(x[:, :3], axis=-1))
    mx.eval(loss, state)
print(loss.item(), len(traced))
