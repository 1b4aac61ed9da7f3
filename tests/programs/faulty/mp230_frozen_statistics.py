"""Train a new head on other data; the body is frozen, but for what it counts."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 24), nn.BatchNorm(24), nn.ReLU())
        self.head = nn.Linear(24, 4)

    def __call__(self, x):
        return self.head(self.body(x))


mx.random.seed(6)
centres = mx.random.normal((4, 10))


def batch(shift):
    y = mx.random.randint(0, 4, (48,))
    return centres[y] + 0.5 * mx.random.normal((48, 10)) + shift, y


def fit(model, shift, steps):
    optimizer = optim.Adam(learning_rate=2e-3)
    state = [model.state, optimizer.state]

    def step(x, y):
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    step = mx.compile(step, inputs=state, outputs=state)
    for k in range(steps):
        loss = step(*batch(shift))
        mx.eval(loss, state)
        if k % 40 == 0:
            print(k, loss.item())


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


model = Model()
fit(model, 0.0, 120)
model.freeze()  # MP230
model.head = nn.Linear(24, 4)
fit(model, 3.0, 120)
