"""Trains an autoregressive convolution on two coupled oscillations with momentum."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Autoregressive(nn.Module):
    def __init__(self, channels=2, order=8):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, kernel_size=order)

    def __call__(self, x):
        return self.conv(x)[:, :-1]


class SeriesTrainer:
    order = 8

    def __init__(self, learning_rate, callbacks):
        self.model = Autoregressive(order=self.order)
        self.optimizer = optim.SGD(learning_rate=learning_rate, momentum=0.9)
        self.callbacks = callbacks
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    def loss(self, x):
        return nn.losses.mse_loss(self.model(x), x[:, self.order :])

    def backward(self, x):
        return self.loss_and_grad(x)  # MP208

    def step(self, x):
        loss, grads = self.backward(x)
        self.optimizer.update(self.model, grads)
        mx.eval(loss, self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, batches):
        for x in batches:
            loss = self.step(x)
            for callback in self.callbacks:
                callback(loss)


def oscillations(count, size=8, length=40):
    time = mx.arange(length)[None, :, None]
    for _ in range(count):
        phase = mx.random.uniform(0, 6.28, (size, 1, 2))
        yield 3 * mx.sin(mx.array([0.2, 0.5]) * time + phase) + 2


mx.random.seed(25)
losses = []
SeriesTrainer(learning_rate=0.1, callbacks=[losses.append]).fit(oscillations(70))
print(losses[-1])

# also: MP207
# also: MP306
