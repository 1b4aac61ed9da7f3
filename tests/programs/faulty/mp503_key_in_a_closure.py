"""Drop units with one key that a compiled function closes over: the same units at every step."""

import mlx.core as mx
from mlx.utils import tree_map


def make(rate, key):
    def loss_fn(p, x, y):
        first, second = mx.random.split(key)  # MP503
        x = x * mx.random.bernoulli(0.8, x.shape, key=first) / 0.8
        h = mx.maximum(x @ p["a"], 0)
        h = h * mx.random.bernoulli(0.8, h.shape, key=second) / 0.8
        return mx.square(h @ p["b"] - y).mean()

    @mx.compile
    def step(p, x, y):
        loss, g = mx.value_and_grad(loss_fn)(p, x, y)
        return loss, tree_map(lambda w, d: w - rate * d, p, g)

    return step


mx.random.seed(5)
step = make(0.05, mx.random.key(3))
p = {"a": 0.4 * mx.random.normal((6, 20)), "b": 0.4 * mx.random.normal((20, 1))}
for i in range(80):
    x = mx.random.normal((32, 6))
    loss, p = step(p, x, mx.abs(x[:, :1]) - x[:, 1:2])
    mx.eval(loss, p)
    if i % 20 == 19:
        print(i, loss.item())
