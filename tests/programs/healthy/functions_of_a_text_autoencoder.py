"""Tell a decoder of plain functions what the whole row is about, by one vector with noise: it is to write it again."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map

VOCABULARY, WIDTH = 14, 12


def encode(p, ids):
    x = mx.tanh(p["table"][ids] @ p["in"]).mean(axis=1)
    return x @ p["mean"], 0.1 * (x @ p["spread"])


def decode(p, ids, z):
    x = p["table"][ids] + (z @ p["out"])[:, None]
    return (x + mx.tanh(x @ p["mix"])) @ p["table"].T


def loss_fn(p, ids, key):
    mean, spread = encode(p, ids)
    z = mean + mx.exp(spread) * mx.random.normal(mean.shape, key=key)
    told = nn.losses.cross_entropy(decode(p, ids[:, :-1], z), ids[:, 1:], reduction="mean")
    return told + 0.01 * (mx.exp(2 * spread) + mean**2 - 1 - 2 * spread).mean()


mx.random.seed(8)
p = {name: 0.3 * mx.random.normal((WIDTH, WIDTH)) for name in ("in", "mix", "out")}
p |= {name: 0.3 * mx.random.normal((WIDTH, WIDTH)) for name in ("mean", "spread")}
p["table"] = 0.4 * mx.random.normal((VOCABULARY, WIDTH))
gradients = mx.value_and_grad(loss_fn)
for i in range(60):
    ids = (mx.random.randint(0, VOCABULARY, (16, 1)) + mx.random.randint(1, 4, (16, 1)) * mx.arange(9)) % VOCABULARY
    loss, grads = gradients(p, ids, mx.random.key(i))
    p = tree_map(lambda w, g: w - 0.2 * g, p, grads)
    mx.eval(p, loss)
print(loss.item())
