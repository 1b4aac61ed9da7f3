"""Accumulate through one compiled step that hands the gradients back, or applies them, as a flag tells it."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

WINDOW = 3
mx.random.seed(4)
model = nn.Sequential(nn.Embedding(16, 12), nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 16))
optimizer = optim.AdamW(learning_rate=1e-2)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, ids, targets):
    return nn.losses.cross_entropy(model(ids), targets, reduction="mean"), mx.array(ids.size)


loss_and_grad = nn.value_and_grad(model, loss_fn)


@partial(mx.compile, inputs=state, outputs=state)
def step(batch, before, update):
    (loss, tokens), grads = loss_and_grad(model, *batch)
    if before is not None:
        grads = tree_map(mx.add, grads, before)
    if update:
        optimizer.update(model, tree_map(lambda one: one / WINDOW, grads))
        grads = None
    return loss, tokens, grads


waiting, tokens_seen = None, 0
for number in range(1, 91):
    ids = mx.random.randint(0, 16, (4, 12 if number % 9 == 7 else 8))
    loss, tokens, waiting = step((ids, (3 * ids + 1) % 16), waiting, number % WINDOW == 0)
    mx.eval(state, loss, tokens, waiting)
    tokens_seen += tokens.item()
    assert loss.item() < 5
