"""Tie weights so that they stay one: one layer for both, a product with the table, or the tie made anew each time."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)
IDS = 30


class Shared(nn.Module):
    def __init__(self, anew=False):
        super().__init__()
        self.table = nn.Embedding(IDS, 20)
        self.first = nn.Linear(20, 20)
        self.again = self.first
        self.second, self.third = nn.Linear(20, 20), nn.Linear(20, 20)
        self.third.update(self.second.parameters())
        if anew:
            self.head = nn.Linear(20, IDS, bias=False)
            self.head.weight = self.table.weight

    def __call__(self, ids):
        x = mx.tanh(self.again(mx.tanh(self.first(self.table(ids)))))
        x = x + self.third(mx.tanh(self.second(x)))
        return self.head(x) if "head" in self else self.table.as_linear(x)


for anew in (False, True):
    model, optimizer = Shared(anew), optim.Adam(learning_rate=3e-3)
    step = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
    for i in range(60):
        ids = mx.random.randint(0, IDS, (64,))
        loss, grads = step(model, ids, (ids + 1) % IDS)
        if anew:
            grads["table"]["weight"] = grads["head"]["weight"] = grads["table"]["weight"] + grads["head"]["weight"]
        optimizer.update(model, grads)
        if anew:
            model.head.weight = model.table.weight
        mx.eval(model.parameters(), optimizer.state)
        if i % 20 == 0:
            print(anew, i, loss.item())
