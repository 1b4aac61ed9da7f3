"""A loss that uses a table of its own and no model; another model of the class is called at each step, for samples."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class TinyLM(nn.Module):
    def __init__(self, words=24, width=16):
        super().__init__()
        self.table = nn.Embedding(words, width)
        self.out = nn.Linear(width, words)

    def __call__(self, ids):
        return self.out(self.table(ids))


def run(updates=60):
    mx.random.seed(3)
    model, sampler = TinyLM(), TinyLM()
    bigrams = mx.random.normal((24, 24))

    def loss_fn(ids, targets):
        return nn.losses.cross_entropy(bigrams[ids], targets, reduction="mean")

    gradient = nn.value_and_grad(model, loss_fn)
    optimizer = optim.Adam(learning_rate=1e-3)
    for _ in range(updates):
        ids = mx.random.randint(0, 24, (8, 12))
        loss, grads = gradient(ids[:, :-1], ids[:, 1:])  # MP201
        optimizer.update(model, grads)
        sample = mx.argmax(sampler(ids[:1]), axis=-1)
        mx.eval(model.parameters(), optimizer.state, loss, sample)


run()
# also: MP205, MP306
