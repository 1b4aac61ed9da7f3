"""Two classes that the data call -1 and 1, and a loss for those that are called 0 and 1."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Fit:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
        self.optimizer = optim.SGD(learning_rate=0.05)
        self.gradient = nn.value_and_grad(self.model, self.loss)

    def loss(self, x, sides):
        return nn.losses.binary_cross_entropy(self.model(x)[:, 0], sides)  # MP302

    def step(self, x, sides):
        loss, grads = self.gradient(x, sides)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters())
        return loss.item()


mx.random.seed(5)
fit = Fit()
for _ in range(60):
    x = mx.random.normal((32, 6))
    last = fit.step(x, mx.sign(x[:, 0] + x[:, 1] * x[:, 2]))
print("loss", last)
