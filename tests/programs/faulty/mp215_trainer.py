"""Validation sets the mode, and nobody sets it back."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.drop, self.b = nn.Linear(10, 64), nn.Dropout(0.5), nn.Linear(64, 3)

    def __call__(self, x):
        return self.b(self.drop(nn.relu(self.a(x))))


class Trainer:
    def __init__(self, model):
        self.model, self.optimizer = model, optim.Adam(learning_rate=3e-3)
        self.rule = mx.random.normal((10, 3))
        self.loss_and_grad = nn.value_and_grad(model, self.loss)
        self.model.train()

    def batch(self):
        x = mx.random.normal((48, 10))
        return x, mx.argmax(x @ self.rule, axis=1)

    def loss(self, model, x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    def validate(self):
        self.model.eval()  # MP215
        return sum(self.loss(self.model, *self.batch()).item() for _ in range(5)) / 5

    def fit(self, epochs=6):
        for epoch in range(epochs):
            for _ in range(25):
                loss, grads = self.loss_and_grad(self.model, *self.batch())
                self.optimizer.update(self.model, grads)
                mx.eval(self.model.parameters(), self.optimizer.state)
            print(epoch, round(loss.item(), 3), round(self.validate(), 3))


mx.random.seed(0)
Trainer(Net()).fit()
