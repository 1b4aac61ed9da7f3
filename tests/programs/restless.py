"""Train models whose every call changes all that a call can change, and print what has become of each."""

import gc
import hashlib
import random
import sys

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten

WIDTH, ROWS, LENGTH = 8, 32, 6
jitter, flip = np.frompyfunc(np.random.normal, 1, 1), np.frompyfunc(random.getrandbits, 1, 1)
for kind in gc.get_objects() if len(sys.argv) > 2 else ():  # in the watched process: one restore that is not made
    if isinstance(kind, type) and str(kind.__module__).startswith("mlxprobe") and kind.__name__ == sys.argv[2]:
        setattr(kind, sys.argv[3], lambda *_, **__: None)
mx.random.seed(3)
np.random.seed(4)
random.seed(5)


class Cache:
    def __init__(self):
        self.seen = mx.zeros((WIDTH,))


class Restless(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.body, self.head = nn.BatchNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self._power, self.cache, self.calls = mx.zeros((WIDTH,)), Cache(), 0

    def __call__(self, x):
        self.calls = self.calls + 1
        self._power = self._power * 0.5 + self.calls
        x = x + 1e-3 * (jitter(0.0) + flip(1))
        x = x + 1e-3 * mx.random.normal(x.shape)
        return self.head(nn.relu(self.body(normalised(self.norm, x) + shifted(self.cache, x))))


def normalised(norm, x):
    return norm(abroad(x)) if x.ndim > 1 else x


def shifted(cache, x):
    seen = cache.seen
    seen[:1] = seen[:1] + 1.0
    return 1e-3 * seen


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.inner = nn.Embedding(WIDTH, WIDTH), Restless()

    def __call__(self, ids):
        return self.inner(self.embed(ids))


abroad = nn.BatchNorm(WIDTH, affine=False)
kind = sys.argv[1]
model = Tokens() if kind in ("causality", "functional") else Restless()
optimizer = optim.Adam(0.01)
ids = mx.random.randint(0, WIDTH, (ROWS, LENGTH + 1))
x, y = mx.random.normal((ROWS, WIDTH)), mx.random.normal((ROWS, WIDTH))
mx.eval(model.parameters(), model.state, abroad.state, model.get("_power", mx.array(0)))


def regression(model, x, y):
    return ((model(x) - y) ** 2).mean()


def tokens(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:]).mean()


def by_hand(parameters, ids):
    model.update(parameters)
    return tokens(model, ids)


def broken(model, x, y, scale):
    return mx.log(scale) + regression(model, x, y)


def row_by_row(model, x, y):
    return sum(((model(x[k]) - y[k]) ** 2).mean() for k in range(len(x))) / len(x)


def step(x, y):
    loss, grads = nn.value_and_grad(model, regression)(model, x, y)
    optimizer.update(model, grads)
    return loss


held = [model.state, optimizer.state, abroad.state, mx.random.state]
step = mx.compile(step, inputs=held, outputs=held)
gradients = nn.value_and_grad(model, {"causality": tokens, "nan": broken, "rows": row_by_row}.get(kind, regression))
for k in range(20):
    if kind == "compiled":
        loss = step(x, y)
    elif kind == "functional":
        loss, grads = mx.value_and_grad(by_hand)(model.trainable_parameters(), ids)
        optimizer.update(model, grads)
    else:
        given = {"causality": (ids,), "nan": (x, y, mx.array(float(k != 12)))}.get(kind, (x, y))
        loss, grads = gradients(model, *given)
        if kind != "nan" or k != 12:
            optimizer.update(model, grads)
    mx.eval(loss, model.state, optimizer.state, abroad.state, model.get("_power", mx.array(0)))
    loss.item()

inner = model.get("inner", model)


def show(name, tree):
    leaves = [one for _, one in tree_flatten(tree) if isinstance(one, mx.array)]
    raw = b"".join(np.array(one).tobytes() for one in leaves)
    print(name, hashlib.sha256(raw).hexdigest())


show("parameters", inner.trainable_parameters())
show("statistics", [inner.norm.running_mean, abroad.running_mean])
show("private", [inner._power])
show("cache", [inner.cache.seen])
show("optimizer", optimizer.state)
print("calls", inner.calls)
print("modes", [one.training for one in model.modules()])
print("mlx", mx.random.normal((2,)).tolist())
print("numpy", np.random.rand())
print("python", random.random())
traced = []
counted = mx.compile(lambda x: traced.append(x) or x + 1)
counted(x), counted(x)
print("traces", len(traced))
