"""A loss scale of 2 ** 30 in float16, that is never lowered: every update is left out."""
# also: MP205, MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

SCALE = 2.0**30
mx.random.seed(79)
model, optimizer = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8)), optim.SGD(learning_rate=0.1)
model.set_dtype(mx.float16)
true = mx.random.normal((32, 8))


def loss_fn(x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean").astype(mx.float32) * SCALE  # MP207


gradient = nn.value_and_grad(model, loss_fn)
for step in range(100):
    x = mx.random.normal((64, 32))
    loss, grads = gradient(x.astype(mx.float16), mx.argmax(x @ true, axis=1))
    norm = optim.clip_grad_norm(grads, 1.0)[1]
    if mx.isfinite(norm).item():
        optimizer.update(model, tree_map(lambda one: one / SCALE, grads))
        mx.eval(model.state, optimizer.state)
