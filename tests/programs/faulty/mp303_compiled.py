"""Train a small causal language model in a compiled step, on targets that are its inputs."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH = 20, 16


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.attention = nn.MultiHeadAttention(WIDTH, 2)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        x = self.embedding(ids)
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        return self.head(x + self.attention(x, x, x, mask))


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids), ids, reduction="mean")  # MP303


mx.random.seed(7)
model = Model()
optimizer = optim.Adam(learning_rate=0.002)
state = [model.state, optimizer.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, ids)
    optimizer.update(model, grads)
    return loss


for _ in range(10):
    loss = step(mx.random.randint(0, VOCABULARY, (8, 12)))
    mx.eval(loss, state)
print(loss.item())
