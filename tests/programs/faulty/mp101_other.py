"""Measures how many samples a second a small residual MLP trains on."""

import time

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

BATCH, WIDTH, CLASSES, STEPS = 32, 24, 5, 40


class ResidualMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(WIDTH, WIDTH) for _ in range(3)]
        self.head = nn.Linear(WIDTH, CLASSES)

    def __call__(self, x):
        for block in self.blocks:
            x = x + nn.gelu(block(x))
        return self.head(x)


mx.random.seed(0)
model = ResidualMLP()
optimizer = optim.Lion(learning_rate=1e-3)
mx.eval(model.parameters())

rule = mx.random.normal((WIDTH, CLASSES))
x = mx.random.normal((BATCH, WIDTH))
y = mx.argmax(x @ rule, axis=1)
mx.eval(x, y)

loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))

start = time.perf_counter()
for _ in range(STEPS):
    loss, grads = loss_and_grad(x, y)
    optimizer.update(model, grads)  # MP101
elapsed = time.perf_counter() - start
print(f"{STEPS * BATCH / elapsed:,.0f} samples/s")
