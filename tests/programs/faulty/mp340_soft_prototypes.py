"""Multiply the cosines with prototypes by a temperature, in place of dividing."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(61)
KINDS, TEMPERATURE = 12, 0.1
centres = 2 * mx.random.normal((KINDS, 10))


class Prototypes(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 16))
        self.kinds = mx.random.normal((KINDS, 16))

    def __call__(self, x):
        h = self.body(x)
        h = h / mx.linalg.norm(h, axis=-1, keepdims=True)
        kinds = self.kinds / mx.linalg.norm(self.kinds, axis=-1, keepdims=True)
        return h @ kinds.T * TEMPERATURE


model, optimizer = Prototypes(), optim.Adam(learning_rate=1e-3)


def loss_fn(x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")  # MP340


step = nn.value_and_grad(model, loss_fn)
for i in range(300):
    y = mx.random.randint(0, KINDS, (40,))
    loss, grads = step(centres[y] + 0.5 * mx.random.normal((40, 10)), y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if i % 100 == 0:
        print(i, loss.item())
