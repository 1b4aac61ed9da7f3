"""Predict the next token with a network that a compiled function fills with its parameters, and no causal mask."""

import mlx.core as mx
import mlx.nn as nn

VOCABULARY, WIDTH = 13, 12

mx.random.seed(4)
norm = nn.LayerNorm(WIDTH)
params = {
    "table": 0.5 * mx.random.normal((VOCABULARY, WIDTH)),
    "qkv": 0.3 * mx.random.normal((WIDTH, 3 * WIDTH)),
    "norm": norm.parameters(),
}


def mixed(p, x, real):
    q, k, v = mx.split(x @ p["qkv"], 3, axis=-1)
    scores = q @ k.swapaxes(1, 2) / WIDTH**0.5
    scores = mx.where(real[:, None, :], scores, -1e9)
    return x + mx.softmax(scores, axis=-1) @ v  # MP307


def loss_fn(p, batch):
    norm.update(p["norm"])
    ids, real = batch["ids"], batch["real"]
    x = norm(mixed(p, p["table"][ids], real))
    losses = nn.losses.cross_entropy((x @ p["table"].T)[:, :-1], ids[:, 1:])
    return (losses * real[:, 1:]).sum() / real[:, 1:].sum()


@mx.compile
def step(p, batch):
    loss, grads = mx.value_and_grad(loss_fn)(p, batch)
    return loss, nn.utils.tree_map(lambda w, g: w - 0.2 * g, p, grads)


for _ in range(30):
    ids = mx.random.randint(1, VOCABULARY, (6, 11))
    real = mx.arange(11)[None] < mx.random.randint(8, 12, (6, 1))
    loss, params = step(params, {"ids": ids * real, "real": real})
    mx.eval(params, loss)
