"""Mark what is not to be learnt by -1, and leave it out three ways; read the last place of a row by -1."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

IDS, CLASSES, ROWS, LENGTH = 50, 7, 16, 12


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.ids = nn.Embedding(IDS, 20)
        self.mix = nn.GRU(20, 20)
        self.out = nn.Linear(20, CLASSES)

    def __call__(self, ids):
        hidden = self.mix(self.ids(ids))
        last = mx.take_along_axis(hidden, mx.full((len(ids), 1, 1), -1), axis=1)
        return self.out(nn.relu(hidden + last))


def multiplied(logits, labels):
    losses = nn.losses.cross_entropy(logits, labels)
    return (losses * (labels >= 0)).sum() / (labels >= 0).sum()


def chosen(logits, labels):
    losses = nn.losses.cross_entropy(logits, labels)
    return mx.where(labels < 0, 0, losses).sum() / (labels >= 0).sum()


def weighted(logits, labels):
    weights = (labels >= 0).astype(mx.float32)
    return nn.losses.cross_entropy(logits, mx.maximum(labels, 0), weights=weights, reduction="sum") / weights.sum()


mx.random.seed(32)
for way in (multiplied, chosen, weighted):
    model, optimizer = Reader(), optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda m, ids, labels, way=way: way(m(ids), labels))
    for _ in range(24):
        ids = mx.random.randint(0, IDS, (ROWS, LENGTH))
        labels = mx.where(mx.random.uniform(shape=ids.shape) < 0.6, ids % CLASSES, -1)
        loss, grads = loss_and_grad(model, ids, labels)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(way.__name__, round(loss.item(), 3))
