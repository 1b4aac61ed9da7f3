"""Tag words in a compiled step; only the first batch has a word that the table has no row for."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS, TAGS = 24, 5


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(WORDS, 16)
        self.memory = nn.GRU(16, 24)
        self.head = nn.Linear(24, TAGS)

    def __call__(self, words):
        return self.head(self.memory(self.table(words)))  # MP304


def loss_fn(model, words, tags):
    return nn.losses.cross_entropy(model(words), tags, reduction="mean")


mx.random.seed(2)
model, optimizer = Tagger(), optim.Adam(learning_rate=5e-3)
state = [model.state, optimizer.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(words, tags):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, words, tags)
    optimizer.update(model, grads)
    return loss


for k in range(40):
    words = mx.random.randint(0, WORDS, (16, 9))
    if k == 0:
        words[3, 4] = WORDS + 2
    loss = step(words, words % TAGS)
    mx.eval(loss, state)
print(loss.item())
