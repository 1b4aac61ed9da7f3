"""A compiled step of a bfloat16 model whose table of positions has stayed float32."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SYMBOLS, LENGTH, WIDTH = 20, 12, 16


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(SYMBOLS, WIDTH)
        self.hidden = nn.Linear(WIDTH, 32)
        self.head = nn.Linear(32, SYMBOLS)
        self._places = mx.sin(mx.arange(LENGTH * WIDTH).reshape(LENGTH, WIDTH) / 7)

    def __call__(self, ids):
        x = self.table(ids) + self._places  # MP112
        return self.head(nn.relu(self.hidden(x)))


mx.random.seed(4)
model = Reader()
model.set_dtype(mx.bfloat16)
model._places = model._places.astype(mx.float32)
optimizer = optim.SGD(learning_rate=0.2)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, ids):
    logits = model(ids[:, :-1]).astype(mx.float32)
    return nn.losses.cross_entropy(logits, ids[:, 1:], reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, ids)
    optimizer.update(model, grads)
    return loss


for _ in range(80):
    ids = (mx.random.randint(0, SYMBOLS, (24, 1)) + 3 * mx.arange(LENGTH + 1)) % SYMBOLS
    loss = step(ids)
    mx.eval(loss, state)
print(loss.item())
