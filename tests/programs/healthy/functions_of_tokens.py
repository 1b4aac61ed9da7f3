"""Plain functions of ids: a causal one for the next token, one that sees all for tags and for masked ids, and two."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map

VOCABULARY, WIDTH, LENGTH = 15, 16, 12


def attended(p, x, memory, mask=None):
    q, k, v = x @ p["q"], memory @ p["k"], memory @ p["v"]
    scores = q @ k.swapaxes(1, 2) / WIDTH**0.5
    return x + mx.softmax(scores if mask is None else scores + mask, axis=-1) @ v


def causal(length):
    at = mx.arange(length)
    return mx.where(at[:, None] >= at[None], 0.0, -1e9)


def recurrent(p, x):
    state = mx.zeros(x[:, 0].shape)
    states = []
    for t in range(x.shape[1]):
        state = mx.tanh(x[:, t] @ p["v"] + 0.9 * state)
        states.append(state)
    return mx.stack(states, axis=1)


def next_token(p, ids, key):
    x = attended(p, p["table"][ids[:, :-1]], p["table"][ids[:, :-1]], causal(ids.shape[1] - 1))
    x = x * mx.random.bernoulli(0.9, x.shape, key=key) / 0.9
    return nn.losses.cross_entropy(recurrent(p, x) @ p["table"].T, ids[:, 1:], reduction="mean")


def tagged(p, ids, tags):
    x = attended(p, p["table"][ids], p["table"][ids])
    return nn.losses.cross_entropy(x @ p["table"].T, tags, reduction="mean")


def restored(p, ids, hidden):
    x = attended(p, p["table"][mx.where(hidden, 0, ids)], p["table"][mx.where(hidden, 0, ids)])
    return (nn.losses.cross_entropy(x @ p["table"].T, ids) * hidden).sum() / hidden.sum()


def translated(p, source, target):
    memory = attended(p, p["table"][source], p["table"][source])
    x = attended(p, p["table"][target[:, :-1]], p["table"][target[:, :-1]], causal(LENGTH - 1))
    x = attended(p, x, memory)
    return nn.losses.cross_entropy(x @ p["table"].T, target[:, 1:], reduction="mean")


mx.random.seed(6)
for loss_fn in (next_token, tagged, restored, translated):
    p = {name: 0.3 * mx.random.normal((WIDTH, WIDTH)) for name in "qkv"}
    p["table"] = 0.3 * mx.random.normal((VOCABULARY, WIDTH))
    gradients = mx.value_and_grad(loss_fn)
    for i in range(30):
        ids = mx.random.randint(1, VOCABULARY, (8, LENGTH))
        other = {"next_token": mx.random.key(i), "restored": mx.random.uniform(shape=ids.shape) < 0.3}
        loss, grads = gradients(p, ids, other.get(loss_fn.__name__, (ids * 3 + ids[:, ::-1]) % VOCABULARY))
        p = tree_map(lambda w, g: w - 0.2 * g, p, grads)
        mx.eval(p, loss)
    print(loss_fn.__name__, loss.item())
