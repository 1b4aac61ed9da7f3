"""A trainer whose evaluator evaluates each batch's loss, and a few small ones at once."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(10, 64), nn.Linear(64, 3)

    def __call__(self, x):
        return self.b(nn.relu(self.a(x)))


class Data:
    def __init__(self, seed):
        self.rule = mx.random.normal((10, 3), key=mx.random.key(seed))

    def batches(self, number, size):
        for _ in range(number):
            x = mx.random.normal((size, 10))
            yield x, mx.argmax(x @ self.rule, axis=1)


class Evaluator:
    def __init__(self, model):
        self.model = model

    def __call__(self, batches):
        losses = []
        for x, y in batches:
            losses.append(nn.losses.cross_entropy(self.model(x), y, reduction="mean"))
            if len(losses) % 4 == 0:
                mx.eval(losses)
        return mx.mean(mx.stack(losses)).item()


class Trainer:
    def __init__(self, model):
        self.model, self.optimizer, self.evaluate = model, optim.Adam(learning_rate=5e-3), Evaluator(model)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, model, x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    def fit(self, data, epochs=3):
        for epoch in range(epochs):
            for x, y in data.batches(20, 32):
                loss, grads = self.loss_and_grad(self.model, x, y)
                self.optimizer.update(self.model, grads)
                mx.eval(self.model.parameters(), self.optimizer.state, loss)
            print(f"epoch {epoch}: train {loss.item():.3f}, val {self.evaluate(data.batches(30, 2000)):.3f}")


mx.random.seed(0)
Trainer(Net()).fit(Data(3))
