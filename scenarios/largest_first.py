"""Each rank reduces its largest gradient first, and which that is differs between ranks.

Symptom: no error and no hang, for all gradients have one shape; the loss falls, more slowly than it should.
Cause: collectives have no names: the gradient of one layer is added to that of another.
Fix: reduce in the order of the names, which is the same on every rank, or all at once: `nn.average_gradients(grads)`.
Limits: layers of different shapes hang, or fail, instead (`reduction-order`).
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten

from mlxprobe import Outcome, Scenario

WIDTH, LAYERS, STEPS = 16, 4, 24

probe = Scenario(ranks=2)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)]

    def __call__(self, x):
        for layer in self.layers:
            x = x + 0.5 * mx.tanh(layer(x))
        return x


def train(order):
    group = mx.distributed.init()
    mx.random.seed(21)
    model, teacher, optimizer = Residual(), Residual(), optim.SGD(0.5)
    mx.eval(model.parameters(), teacher.parameters())
    loss_and_grad = nn.value_and_grad(model, lambda model, x: nn.losses.mse_loss(model(x), teacher(x)))
    for step in range(STEPS):
        x = mx.random.normal((16, WIDTH), key=mx.random.key(2 * step + group.rank()))
        value, grads = loss_and_grad(model, x)
        reduced = []
        for path, one in sorted(tree_flatten(grads), key=order):
            total = mx.distributed.all_sum(one) / group.size()
            mx.eval(total)
            reduced.append((path, total))
        optimizer.update(model, tree_unflatten(reduced))
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def by_name():
    """Reduce in the order of the names."""
    return train(lambda pair: pair[0])


@probe.broken(expects=Outcome.WRONG, finds=["MP702"])
def by_norm():
    """Reduce the largest first, as a scheme that sends what matters most might."""
    return train(lambda pair: -mx.linalg.norm(pair[1]).item())
