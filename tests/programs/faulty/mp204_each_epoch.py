"""Trains a scorer on nine micro-batches an epoch, four to an update; each epoch begins with an empty accumulator."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

BATCHES, WINDOW = 9, 4

mx.random.seed(17)
scorer = nn.Sequential(nn.Linear(5, 20), nn.GELU(), nn.Linear(20, 4))
optimizer = optim.Adam(learning_rate=5e-3)
x = mx.random.normal((BATCHES, 24, 5))
labels = mx.argmax(x @ mx.random.normal((5, 4)), axis=-1)
loss_and_grad = nn.value_and_grad(scorer, lambda x, y: nn.losses.cross_entropy(scorer(x), y, reduction="mean"))


def mean_of(gradients):
    return tree_map(lambda *each: sum(each) / len(each), *gradients)


def train(epochs):
    for _ in range(epochs):
        gathered = []
        for k in range(BATCHES):
            loss, grads = loss_and_grad(x[k], labels[k])  # MP204
            gathered.append(grads)
            mx.eval(loss, grads)
            if len(gathered) == WINDOW:
                optimizer.update(scorer, mean_of(gathered))
                mx.eval(scorer.parameters(), optimizer.state)
                gathered = []
    return loss.item()


print(f"loss {train(20):.3f}")
