"""Accumulate gradients over micro-batches and average them with tree_map before each update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Trainer:
    def __init__(self, model, optimizer, accumulate):
        self.model, self.optimizer, self.accumulate = model, optimizer, accumulate
        self.loss_and_grad = nn.value_and_grad(model, self.loss)
        self.total, self.count = None, 0

    def loss(self, model, x, y):
        return nn.losses.huber_loss(model(x), y, reduction="mean")

    def micro_step(self, x, y):
        loss, grads = self.loss_and_grad(self.model, x, y)
        self.total = grads if self.total is None else tree_map(lambda a, b: a + b, self.total, grads)
        self.count += 1
        mx.eval(loss, self.total)
        if self.count == self.accumulate:
            self.apply()
        return loss.item()

    def apply(self):
        mean = tree_map(lambda g: g / self.count, self.total)
        self.optimizer.update(self.model, mean)
        mx.eval(self.model.parameters(), self.optimizer.state)
        self.total, self.count = None, 0


def batches(count):
    for _ in range(count):
        x = mx.random.uniform(-1, 1, (32, 2))
        yield x, mx.sin(2 * x[:, :1]) * x[:, 1:]


mx.random.seed(5)
net = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1))
trainer = Trainer(net, optim.SGD(learning_rate=0.4, momentum=0.9), accumulate=3)
history = [trainer.micro_step(x, y) for x, y in batches(60)]
print(f"loss {sum(history[:6]) / 6:.4f} -> {sum(history[-6:]) / 6:.4f}")
