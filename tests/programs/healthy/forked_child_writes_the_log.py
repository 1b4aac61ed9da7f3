"""Train a logistic regression and let a forked child write the training log to disk meanwhile."""

import json
import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(61)

x = mx.random.normal((200, 4))
y = (x @ mx.array([1.0, -2.0, 0.5, 0.0]) > 0).astype(mx.float32)

model = nn.Linear(4, 1)
optimizer = optim.AdaDelta(learning_rate=5.0)


def bce(model, x, y):
    return nn.losses.binary_cross_entropy(model(x).squeeze(-1), y)


loss_and_grad = nn.value_and_grad(model, bce)
log = []


def train(steps):
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        log.append(loss.item())


with tempfile.TemporaryDirectory() as folder:
    train(20)
    child = os.fork()
    if child == 0:
        with open(os.path.join(folder, "log.json"), "w") as file:
            json.dump(log, file)
        os._exit(0)
    train(10)
    os.waitpid(child, 0)

print(f"{log[0]:.3f} -> {log[-1]:.3f}")
