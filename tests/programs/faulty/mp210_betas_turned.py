"""Adam with its two decays in each other's places."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

DECAYS = {"second": 0.9, "first": 0.999}


def build(model):
    decays = [DECAYS["first"], DECAYS["second"]]
    return optim.AdamW(learning_rate=5e-4, betas=decays), nn.value_and_grad(model, loss_fn)  # MP210


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(9)
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer, gradient = build(model)
for step in range(60):
    x = mx.random.normal((32, 6))
    loss, grads = gradient(model, x, mx.argmax(x[:, :3] - x[:, 3:], axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 10 == 0:
        print(step, loss.item())
# also: MP306, MP208
