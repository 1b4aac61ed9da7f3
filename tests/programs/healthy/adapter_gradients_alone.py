"""Take gradients of an adapter's factors alone; the base is never frozen, and never updated either."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Adapted(nn.Linear):
    def __init__(self, inputs, outputs, rank=3):
        super().__init__(inputs, outputs)
        self.down = 0.3 * mx.random.normal((rank, inputs))
        self.up = mx.zeros((outputs, rank))

    def __call__(self, x):
        return super().__call__(x) + (x @ self.down.T) @ self.up.T


def factors(model):
    return {"layers": [{"down": one.down, "up": one.up} if isinstance(one, Adapted) else {} for one in model.layers]}


mx.random.seed(42)
model = nn.Sequential(Adapted(10, 32), nn.Tanh(), Adapted(32, 4))


def loss_fn(trained, x, y):
    model.update(trained)
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


x = mx.random.normal((96, 10))
y = mx.argmax(x @ mx.random.normal((10, 4)), axis=1)
trained, optimizer = factors(model), optim.Adam(learning_rate=2e-2)
loss_and_grad = mx.value_and_grad(loss_fn)
losses = []
for _ in range(40):
    loss, grads = loss_and_grad(trained, x, y)
    trained = optimizer.apply_gradients(grads, trained)
    mx.eval(trained, optimizer.state)
    losses.append(loss.item())
model.update(trained)
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
