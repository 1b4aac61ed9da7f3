"""Pre-train on batches that come with their classes, which a reconstruction has no use for; then classify with them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(41)
CENTRES = 2.0 * mx.random.normal((4, 12))


def batch(size=48):
    labels = mx.random.randint(0, 4, (size,))
    return CENTRES[labels] + mx.random.normal((size, 12)), labels


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Linear(12, 6)
        self.up = nn.Linear(6, 12)
        self.head = nn.Linear(6, 4)

    def code(self, x):
        return mx.tanh(self.down(x))


def reconstruction(model, x, labels):
    return mx.mean(mx.square(model.up(model.code(x)) - x))


def classification(model, x, labels):
    return nn.losses.cross_entropy(model.head(model.code(x)), labels, reduction="mean")


def fit(model, loss_fn, steps=50):
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(steps):
        loss, grads = loss_and_grad(model, *batch())
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        if step % 10 == 9:
            print(f"{loss_fn.__name__} {step + 1}: {loss.item():.4f}")


model = Coder()
model.head.freeze()
fit(model, reconstruction)
model.head.unfreeze()
model.up.freeze()
fit(model, classification)
