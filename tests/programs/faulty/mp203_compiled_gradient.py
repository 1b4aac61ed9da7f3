"""Compile the gradient alone, gather it over four calls, and update by the sum."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Accumulator:
    def __init__(self, model, micro):
        self.model = model
        self.micro = micro
        self.optimizer = optim.SGD(learning_rate=0.1)
        self.gradient = mx.compile(nn.value_and_grad(model, self.loss), inputs=model.state, outputs=model.state)

    def loss(self, x, y):
        return nn.losses.cross_entropy(self.model(x), y, reduction="mean")

    def window(self, draw):
        summed = None
        for _ in range(self.micro):
            loss, grads = self.gradient(*draw())
            summed = grads if summed is None else tree_map(mx.add, summed, grads)
            mx.eval(loss, summed)
        self.optimizer.update(self.model, summed)  # MP203
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()


def draw():
    x = mx.random.normal((16, 6))
    return x, mx.argmax(x[:, :3], axis=-1)


mx.random.seed(4)
trainer = Accumulator(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)), micro=4)
losses = [trainer.window(draw) for _ in range(16)]
print(losses[-1])
