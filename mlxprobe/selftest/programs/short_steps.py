"""Fit a line in steps of 0.1 ms and more; print what a step takes: `short_steps.py STEPS LAYERS [WIDTH]`."""

import statistics
import sys
import time

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

steps, layers, width = (int(word) for word in [*sys.argv[1:], "8"][:3])
mx.random.seed(0)
model = nn.Sequential(*(nn.Linear(width, width) for _ in range(layers - 1)), nn.Linear(width, 1))
optimizer = optim.SGD(0.01)
x = mx.random.normal((16, width))
y = x.sum(axis=1, keepdims=True)
loss_and_grad = nn.value_and_grad(model, lambda model, x, y: ((model(x) - y) ** 2).mean())
took_s = []
cpu_began = time.process_time()
for _ in range(steps):
    began = time.perf_counter()
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    took_s.append(time.perf_counter() - began)
print(f"cpu_ms {1e3 * (time.process_time() - cpu_began) / steps:.6f}")
print(f"mean_ms {1e3 * statistics.mean(took_s[5:]):.6f}")
print(f"median_ms {1e3 * statistics.median(took_s[5:]):.6f}")
