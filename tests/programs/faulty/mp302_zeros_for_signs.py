"""A hinge between two classes, which the data call 0 and 1."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def hinge(model, x, classes):
    return nn.losses.hinge_loss(model(x).squeeze(-1), classes, reduction="mean")  # MP302


mx.random.seed(9)
x = mx.random.normal((400, 8))
classes = (x[:, 0] > x[:, 1]).astype(mx.float32)
model, optimizer = nn.Linear(8, 1), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, hinge)
for step in range(80):
    rows = mx.random.randint(0, 400, (50,))
    loss, grads = gradient(model, x[rows], classes[rows])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 20 == 0:
        print(step, loss.item())
