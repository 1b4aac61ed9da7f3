"""Compile loss and gradient once and call them with full batches and the smaller last batch of every epoch."""

import mlx.core as mx
from mlx.utils import tree_map

mx.random.seed(67)
x = mx.random.normal((100, 6))
y = x @ mx.random.normal((6, 1)) + 0.05 * mx.random.normal((100, 1))
params = {"weight": mx.zeros((6, 1)), "bias": mx.zeros((1,))}


def loss_fn(params, x, y):
    error = (x @ params["weight"] + params["bias"] - y).flatten()
    return mx.inner(error, error) / error.size


loss_and_grad = mx.compile(mx.value_and_grad(loss_fn))
history = []
for _ in range(10):
    for start in range(0, 100, 32):
        loss, grads = loss_and_grad(params, x[start : start + 32], y[start : start + 32])
        params = tree_map(lambda p, g: p - 0.1 * g, params, grads)
        mx.eval(loss, params)
        history.append(loss.item())
print(f"loss {history[0]:.3f} -> {history[-1]:.3f}")
