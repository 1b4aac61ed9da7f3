"""Rows that see each other on purpose: a graph's nodes, the moments of one sequence, and time that comes first."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Graph(nn.Module):
    def __init__(self, edges):
        super().__init__()
        self.edges, self.first, self.last = edges, nn.Linear(6, 16), nn.Linear(16, 3)
        self.freeze(keys="edges", recurse=False)

    def __call__(self, x):
        return self.last(self.edges @ nn.relu(self.first(self.edges @ x)))


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.attend, self.head = nn.Linear(6, 16), nn.MultiHeadAttention(16, 2), nn.Linear(16, 3)

    def __call__(self, x):
        x = self.lift(x)[None] + mx.sin(mx.arange(x.shape[0])[:, None] * mx.exp(-mx.arange(16) / 4))
        return self.head(x + self.attend(x, x, x))[0]


class TimeFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.ids, self.rnn, self.head = nn.Embedding(10, 16), nn.GRU(16, 16), nn.Linear(16, 10)

    def __call__(self, ids):
        return self.head(self.rnn(self.ids(ids).swapaxes(0, 1)).swapaxes(0, 1))


def train(model, batches):
    loss_and_grad = nn.value_and_grad(model, lambda y, *x: nn.losses.cross_entropy(model(*x), y, reduction="mean"))
    optimizer = optim.Adam(3e-3)
    for y, *x in batches:
        loss, grads = loss_and_grad(y, *x)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()


def rows(count, scale):
    for _ in range(count):
        x = scale * mx.random.normal((24, 6))
        yield (x[:, 0] > 0).astype(mx.int32) + (x[:, 1] > 0), x


def ids(count):
    for _ in range(count):
        x = mx.random.randint(0, 10, (12, 32))
        yield mx.concatenate([x[:1], x[:-1]]), x


mx.random.seed(0)
train(Graph(mx.eye(24) + 0.1 * mx.random.uniform(shape=(24, 24))), rows(70, 1.0))
train(Sequence(), rows(70, 1.0))
train(TimeFirst(), ids(70))
