"""Weights that are shrunk by hand at every step, by much more than gradients bring back."""

import mlx.core as mx
from mlx.utils import tree_map

mx.random.seed(3)
params = {"w": mx.random.normal((8, 24)) * 0.3, "v": mx.random.normal((24, 5)) * 0.3, "b": mx.zeros((5,))}
W = mx.random.normal((8, 5))


def loss_fn(p, x, y):
    z = mx.tanh(x @ p["w"]) @ p["v"] + p["b"]
    return mx.mean(mx.logsumexp(z, axis=1) - mx.take_along_axis(z, y[:, None], axis=1)[:, 0])


vg = mx.value_and_grad(loss_fn)
for step in range(200):
    x = mx.random.normal((32, 8))
    y = mx.argmax(x @ W, axis=1)
    loss, g = vg(params, x, y)  # MP216
    params = tree_map(lambda p, d: p * 0.9 - 0.05 * d, params, g)
    mx.eval(params, loss)
    if step % 40 == 0:
        print(step, loss.item())
# also: MP306
