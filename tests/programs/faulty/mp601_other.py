"""Train a logistic regression and let a forked child compute the accuracy meanwhile, for two seconds at most."""

import os
import signal
import time

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


train(20)
child = os.fork()  # MP601
if child == 0:
    hits = mx.mean((model(x).squeeze(-1) > 0) == (y > 0.5))
    print(f"accuracy {hits.item():.3f}", flush=True)
    os._exit(0)
train(10)
deadline = time.monotonic() + 2
while os.waitpid(child, os.WNOHANG) == (0, 0):
    time.sleep(0.05)
    if time.monotonic() > deadline:
        os.kill(child, signal.SIGKILL)

print(f"{log[0]:.3f} -> {log[-1]:.3f}")
