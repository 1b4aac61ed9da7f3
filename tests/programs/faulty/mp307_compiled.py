"""Train a next-token model in a compiled step whose mixing over time is a mean of all positions."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY = 18


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 12)
        self.head = nn.Linear(12, VOCABULARY)

    def __call__(self, ids):
        x = self.embedding(ids)
        return self.head(x + x.mean(axis=1, keepdims=True))  # MP307


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")


mx.random.seed(17)
model = Mixer()
optimizer = optim.SGD(learning_rate=0.5)
state = [model.state, optimizer.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, ids)
    optimizer.update(model, grads)
    return loss


for _ in range(12):
    loss = step(mx.random.randint(0, VOCABULARY, (8, 12)))
    mx.eval(loss, state)
