"""An accuracy that reads every prediction as a Python number."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(6, 24), nn.Linear(24, 4)]

    def __call__(self, x):
        return self.layers[1](nn.relu(self.layers[0](x)))


class Fit:
    def __init__(self, size=1200):
        self.model = Classifier()
        self.optimizer = optim.Adam(learning_rate=1e-2)
        self.size = size
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    def loss(self, model, x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    def accuracy(self, x, y):
        guesses = mx.argmax(self.model(x), axis=1)
        mx.eval(guesses)
        return sum(guesses[k].item() == y[k] for k in range(self.size)) / self.size  # MP111

    def run(self, steps):
        for step in range(steps):
            x = mx.random.normal((self.size, 6))
            y = mx.argmax(x[:, :4], axis=1)
            loss, grads = self.loss_and_grad(self.model, x, y)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
            print(step, round(loss.item(), 3), round(self.accuracy(x, y.tolist()), 3))


mx.random.seed(2)
Fit().run(20)
