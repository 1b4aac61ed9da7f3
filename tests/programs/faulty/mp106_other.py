# The tutorial's loop: only the loss is evaluated.
import time

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
model = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 3))
opt = optim.Adam(learning_rate=3e-3)
teacher = mx.random.normal((12, 3))


def loss_fn(x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for epoch in range(4):
    began = time.perf_counter()
    for _ in range(25):
        x = mx.random.normal((32, 12))
        loss, grads = step(x, mx.argmax(x @ teacher, axis=1))
        opt.update(model, grads)  # MP106
        mx.eval(loss)
    print(f"epoch {epoch}: loss {loss.item():.3f}, {time.perf_counter() - began:.2f} s")
