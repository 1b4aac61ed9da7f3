"""Recurrent layers that are given the batch first: a target for each row, or for each moment; and attention."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LONG, ROWS = 20, 32


class Reader(nn.Module):
    def __init__(self, every):
        super().__init__()
        self.gru, self.out, self.every = nn.GRU(3, 24), nn.Linear(24, 3), every

    def __call__(self, x):
        states = self.gru(x.swapaxes(0, 1))
        looked = mx.fast.scaled_dot_product_attention(*[states[:, None]] * 3, scale=24**-0.5)[:, 0]
        return self.out(looked if self.every else looked[:, -1])


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(2)
for every in (False, True):
    model, optimizer = Reader(every), optim.Adam(learning_rate=3e-3)
    gradient = nn.value_and_grad(model, loss_fn)
    for _ in range(40):
        x = mx.random.normal((LONG, ROWS, 3))
        y = mx.argmax(x, axis=2).T if every else mx.argmax(mx.mean(x, axis=0), axis=1)
        loss, grads = gradient(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(loss.item())
