"""Only the first factors of adapters are trained at first; the last begin near zero, and so do the gradients."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Adapted(nn.Module):
    def __init__(self, width, rank=4):
        super().__init__()
        self.base = nn.Linear(width, width)
        self.base.freeze()
        self.a = 0.1 * mx.random.normal((width, rank))
        self.b = mx.zeros((rank, width))

    def __call__(self, x):
        return self.base(x) + (x @ self.a) @ self.b


mx.random.seed(4)
model = Adapted(16)
model.b = model.b + 1e-6
optimizer = optim.Adam(learning_rate=1e-2)
target = mx.random.normal((16, 16)) / 4
later = optim.Adam(learning_rate=1e-2)


def loss_fn(model, x):
    return nn.losses.mse_loss(model(x), x @ target)


model.freeze(keys="b")
gradient = nn.value_and_grad(model, loss_fn)
for step in range(120):
    if step == 4:
        model.unfreeze(keys="b", recurse=False)
        optimizer = later
    loss, grads = gradient(model, mx.random.normal((64, 16)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
