"""Prune by a mask of NumPy's that is made anew each epoch, and read in a compiled function."""

from types import SimpleNamespace

import mlx.core as mx
import numpy as np

rng = np.random.default_rng(2)
pruning = SimpleNamespace(keep=np.ones((12, 24), np.float32), share=1.0)


def loss_fn(p, x, y):
    h = mx.maximum(x @ (p["a"] * mx.array(pruning.keep)), 0)  # MP504
    return mx.square(h @ p["b"] - y).mean()


@mx.compile
def step(p, x, y):
    loss, g = mx.value_and_grad(loss_fn)(p, x, y)
    return loss, {name: p[name] - 0.05 * g[name] for name in p}


p = {
    "a": mx.array(0.3 * rng.normal(size=(12, 24)).astype(np.float32)),
    "b": mx.array(0.3 * rng.normal(size=(24, 1)).astype(np.float32)),
}
for epoch in range(5):
    for _ in range(20):
        x = rng.normal(size=(32, 12)).astype(np.float32)
        loss, p = step(p, mx.array(x), mx.array(x[:, :1] - x[:, 1:2]))
        mx.eval(loss, p)
    pruning.share *= 0.9
    size = np.abs(np.array(p["a"]))
    pruning.keep = (size > np.quantile(size, 1 - pruning.share)).astype(np.float32)
    print(epoch, loss.item())
