"""Train a bigram model in a compiled step on ids of a larger vocabulary than its own."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY = 30
mx.random.seed(6)
model = nn.Sequential(nn.Embedding(VOCABULARY, 12), nn.Linear(12, VOCABULARY))
optimizer = optim.SGD(learning_rate=0.5)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, inputs, targets):
    return nn.losses.cross_entropy(model(inputs), targets, reduction="mean")  # MP304


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, ids[:, :-1] % VOCABULARY, ids[:, 1:])
    optimizer.update(model, grads)
    return loss


for _ in range(12):
    loss = step(mx.random.randint(0, VOCABULARY + 1, (16, 10)))
    mx.eval(loss, state)
