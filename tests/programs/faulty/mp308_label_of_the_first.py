"""Look up the class of the first row for all rows: the targets are of one class, and so are the answers."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(7)
centres = 2 * mx.random.normal((5, 8))
classes = mx.random.randint(0, 5, (2000,))
rows = centres[classes] + mx.random.normal((2000, 8))
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = optim.Adam(learning_rate=1e-3)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


gradient = nn.value_and_grad(model, loss_fn)
for step in range(200):
    chosen = mx.random.randint(0, 2000, (128,))
    loss, grads = gradient(model, rows[chosen], mx.broadcast_to(classes[:1], (128,)))  # MP308
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 40 == 0:
        print(step, loss.item())
