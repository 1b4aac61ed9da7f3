"""A rate that was taken over from another model: all updates together hardly move a weight."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SETTINGS = {"rate": 3e-8, "steps": 240, "batch": 32}


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x)[:, 0], y)


mx.random.seed(4)
data = mx.random.normal((512, 6))
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = optim.AdamW(learning_rate=SETTINGS["rate"])
gradient = nn.value_and_grad(model, loss_fn)
for step in range(SETTINGS["steps"]):
    x = data[mx.random.randint(0, 512, (SETTINGS["batch"],))]
    loss, grads = gradient(model, x, x[:, 0] - 2 * x[:, 1])
    optimizer.update(model, grads)  # MP210
    mx.eval(model.parameters(), optimizer.state)
    if step % 40 == 0:
        print(step, loss.item())
# also: MP306
