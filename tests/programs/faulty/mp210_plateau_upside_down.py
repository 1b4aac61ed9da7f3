"""A rate that is to fall when the accuracy no longer rises; it falls whenever the accuracy is not a new low."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EPOCHS, BATCHES = 16, 12


class Plateau:
    def __init__(self, optimizer, factor=0.1):
        self.optimizer, self.factor, self.best = optimizer, factor, float("inf")

    def __call__(self, measure):
        if measure < self.best:
            self.best = measure
        else:
            rate = self.optimizer.learning_rate
            self.optimizer.learning_rate = rate * self.factor


def accuracy(model, x, y):
    return mx.mean(mx.argmax(model(x), axis=1) == y).item()


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def main():
    mx.random.seed(7)
    x = mx.random.normal((600, 10))
    y = mx.argmax(x[:, :4] * x[:, 4:8], axis=1)
    model, optimizer = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 4)), optim.Adam(learning_rate=2e-3)
    plateau, gradient = Plateau(optimizer), nn.value_and_grad(model, loss_fn)
    for epoch in range(EPOCHS):
        for _ in range(BATCHES):
            rows = mx.random.randint(0, 500, (32,))
            loss, grads = gradient(model, x[rows], y[rows])
            optimizer.update(model, grads)  # MP210
            mx.eval(model.parameters(), optimizer.state, loss)
        measure = accuracy(model, x[500:], y[500:])
        plateau(measure)
        print(epoch, round(loss.item(), 3), measure)


main()
# also: MP306
