"""Prototypes for a few-shot classifier, kept behind an underscore."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

CLASSES, WIDTH = 6, 12


class PrototypeHead(nn.Module):
    def __init__(self):
        super().__init__()
        self._proto = mx.random.normal((CLASSES, WIDTH)) * 0.3  # MP213

    def __call__(self, x):
        return x @ self._proto.T


class FewShot(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, WIDTH))
        self.head = PrototypeHead()

    def __call__(self, x):
        return self.head(self.encoder(x))


class Trainer:
    def __init__(self, model):
        self.model, self.optimizer = model, optim.Adam(learning_rate=5e-3)
        self.step_fn = nn.value_and_grad(model, self.loss)

    def loss(self, model, x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    def fit(self, centres, steps):
        for step in range(steps):
            y = mx.random.randint(0, CLASSES, (32,))
            loss, grads = self.step_fn(self.model, centres[y] + 0.3 * mx.random.normal((32, 9)), y)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
            if step % 20 == 0:
                print(step, round(loss.item(), 3))


mx.random.seed(0)
Trainer(FewShot()).fit(mx.random.normal((CLASSES, 9)), 80)
