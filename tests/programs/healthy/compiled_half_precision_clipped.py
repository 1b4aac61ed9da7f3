"""A compiled step in bfloat16 that adds a table of its own type, computes its loss in float32, and clips by norm."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

SYMBOLS, LENGTH, WIDTH = 20, 12, 16


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(SYMBOLS, WIDTH)
        self.hidden = nn.Linear(WIDTH, 32)
        self.head = nn.Linear(32, SYMBOLS)
        self._places = mx.sin(mx.arange(LENGTH * WIDTH).reshape(LENGTH, WIDTH) / 7)

    def __call__(self, ids):
        x = self.table(ids)
        return self.head(nn.gelu(self.hidden(x + self._places.astype(x.dtype))))


mx.random.seed(4)
model = Reader()
model.set_dtype(mx.bfloat16)
optimizer = optim.SGD(learning_rate=0.2)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, ids):
    logits = model(ids[:, :-1]).astype(mx.float32)
    return nn.losses.cross_entropy(logits, ids[:, 1:], reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, ids)
    grads = tree_map(lambda one: mx.clip(one, -0.5, 0.5), grads)  # a guard that few elements reach
    grads, _ = optim.clip_grad_norm(grads, 1.0)
    optimizer.update(model, grads)
    return loss


for _ in range(80):
    ids = (mx.random.randint(0, SYMBOLS, (24, 1)) + 3 * mx.arange(LENGTH + 1)) % SYMBOLS
    loss = step(ids)
    mx.eval(loss, state)
print(loss.item())
