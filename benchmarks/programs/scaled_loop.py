"""Train a small model; from a folder called `slower` with a fifth more layers, from `larger` with 1.3 × the rows."""

import sys

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WIDTH, LAYERS, STEPS = 64, 10, 60
layers = 12 if "/slower/" in sys.executable else LAYERS
rows = 666 if "/larger/" in sys.executable else 512

mx.random.seed(0)
model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(layers)))
optimizer = optim.SGD(1e-3)
x = mx.random.normal((rows, WIDTH))
loss_and_grad = nn.value_and_grad(model, lambda model, x: mx.mean(mx.square(model(x) - x)))
for _ in range(STEPS):
    loss, grads = loss_and_grad(model, x)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
