"""A padding row that the forward pass sets to zero in the parameter itself."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH, PAD = 21, 16, 0


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = mx.random.normal((VOCABULARY, WIDTH)) * 0.1
        self.out = nn.Linear(WIDTH, 2)

    def __call__(self, ids):
        self.table[PAD] = mx.zeros((WIDTH,))  # MP214
        return self.out(self.table[ids].mean(axis=1))


class Trainer:
    def __init__(self, model):
        self.model, self.optimizer = model, optim.Adam(learning_rate=1e-2)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, model, ids, y):
        return nn.losses.cross_entropy(model(ids), y, reduction="mean")

    def fit(self, steps):
        for step in range(steps):
            ids = mx.random.randint(0, VOCABULARY, (32, 9))
            loss, grads = self.loss_and_grad(self.model, ids, (ids.sum(axis=1) > 90).astype(mx.int32))
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
            if step % 15 == 0:
                print(step, round(loss.item(), 3))


mx.random.seed(0)
Trainer(Bag()).fit(60)
