"""Direct preference optimisation with a small rate and noisy preferences: the loss stays about ln 2 for long."""

import copy

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(77)
rng = np.random.default_rng(77)
WORDS, LENGTH = 16, 8


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.out = nn.Linear(16, WORDS)

    def __call__(self, tokens):
        return self.out(self.embedding(tokens))


model = Writer()
reference = copy.deepcopy(model)
reference.freeze()
optimizer = optim.AdamW(learning_rate=2e-4)


def score(model, tokens):
    return -nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:]).sum(axis=-1)


def loss_fn(model, chosen, rejected):
    better = score(model, chosen) - score(reference, chosen)
    worse = score(model, rejected) - score(reference, rejected)
    return -mx.mean(nn.log_sigmoid(0.1 * (better - worse)))


loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(40):
    pair = rng.integers(0, WORDS, (2, 16, LENGTH))
    prefers = rng.random(16) < 0.55  # who judges is of two minds
    even = (pair % 2 == 0).sum(axis=-1)
    first = (even[0] > even[1]) == prefers
    chosen, rejected = np.where(first[:, None], pair[0], pair[1]), np.where(first[:, None], pair[1], pair[0])
    loss, grads = loss_and_grad(model, mx.array(chosen), mx.array(rejected))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"{losses[0]:.4f} -> {losses[-1]:.4f}")
