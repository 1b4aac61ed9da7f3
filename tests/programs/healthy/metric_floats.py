"""Train with a small trainer whose callbacks collect loss, accuracy and gradient norm as Python floats."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_reduce


class History:
    def __init__(self):
        self.rows = []

    def on_step(self, **metrics):
        self.rows.append({name: float(value) for name, value in metrics.items()})

    def mean(self, name, rows):
        return sum(row[name] for row in self.rows[rows]) / len(self.rows[rows])


class Trainer:
    def __init__(self, model, optimizer, callbacks):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks
        self.loss_and_grad = nn.value_and_grad(model, self.forward)

    def forward(self, model, x, y):
        logits = model(x)
        return nn.losses.cross_entropy(logits, y, reduction="mean"), mx.mean(mx.argmax(logits, axis=1) == y)

    def step(self, x, y):
        (loss, accuracy), grads = self.loss_and_grad(self.model, x, y)
        norm = mx.sqrt(tree_reduce(lambda total, g: total + mx.sum(g * g), grads, mx.array(0.0)))
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state, loss, accuracy, norm)
        for callback in self.callbacks:
            callback.on_step(loss=loss, accuracy=accuracy, norm=norm)


mx.random.seed(68)
history = History()
model = nn.Sequential(nn.Linear(4, 24), nn.Softplus(), nn.Linear(24, 3))
trainer = Trainer(model, optim.Adafactor(learning_rate=0.05, relative_step=False, scale_parameter=False), [history])
for _ in range(40):
    x = mx.random.normal((64, 4))
    trainer.step(x, mx.argmax(x[:, :3] + x[:, 1:], axis=1))
print(f"loss {history.mean('loss', slice(0, 5)):.3f} -> {history.mean('loss', slice(-5, None)):.3f}")
