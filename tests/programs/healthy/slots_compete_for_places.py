"""Slot attention: a softmax over the slots, then each slot's weights are divided by their sum, before or after."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Slots(nn.Module):
    def __init__(self, dims=8, slots=4):
        super().__init__()
        self.start = mx.random.normal((slots, dims))
        self.q, self.k, self.v = (nn.Linear(dims, dims) for _ in range(3))
        self.out = nn.Linear(dims, dims)

    def __call__(self, x):
        slots = mx.broadcast_to(self.start, (x.shape[0], *self.start.shape))
        k, v = self.k(x), self.v(x)
        for after in (False, True):
            shares = mx.softmax(self.q(slots) @ k.swapaxes(-1, -2), axis=1)
            sums = shares.sum(axis=-1, keepdims=True) + 1e-6
            slots = slots + ((shares @ v) / sums if after else (shares / sums) @ v)
        pooled = mx.softmax(self.q(x) @ slots.swapaxes(-1, -2), axis=-1).swapaxes(1, 2) @ x  # as clusters do
        return self.out(slots + pooled)


mx.random.seed(0)
model, optimizer = Slots(), optim.Adam(3e-3)
gradient = nn.value_and_grad(model, lambda m, x: mx.square(m(x).sum(axis=1) - x.mean(axis=1)).mean())
for _ in range(60):
    loss, grads = gradient(model, mx.random.normal((16, 10, 8)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
