"""Measure how long gradients of some layers take: the same input again and again, and nothing is trained."""

import time

import mlx.core as mx
import mlx.nn as nn

TIMES = 30


def measured(layer, x):
    gradients = nn.value_and_grad(layer, lambda x: mx.mean(mx.square(layer(x))))
    mx.eval(gradients(x))
    began = time.perf_counter()
    for _ in range(TIMES):
        mx.eval(gradients(x))
    return (time.perf_counter() - began) / TIMES


mx.random.seed(82)
x = mx.random.normal((4, 16, 32))
for layer in (nn.Linear(32, 64), nn.RMSNorm(32), nn.Conv1d(32, 32, 3)):
    print(f"{type(layer).__name__}: {measured(layer, x) * 1e3:.2f} ms")
