"""Apply the gradients once for the encoder's sake and once for the head's, each time to all, in one compiled step."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(31)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(12, 32), nn.Linear(32, 5)

    def __call__(self, x):
        return self.head(nn.relu(self.encoder(x)))


tagger, optimizer = Tagger(), optim.AdamW(learning_rate=1e-3)
judge = mx.random.normal((12, 5))
mx.eval(tagger.parameters(), judge)
state = [tagger.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(tagger, lambda a, b: nn.losses.cross_entropy(tagger(a), b, reduction="mean"))(x, y)
    for _part in ("encoder", "head"):
        optimizer.update(tagger, grads)  # MP203
    return loss


for i in range(80):
    x = mx.random.normal((24, 12))
    loss = step(x, mx.argmax(x @ judge, axis=1))
    mx.eval(loss, state)
    if i % 20 == 0:
        print(i, loss.item())
