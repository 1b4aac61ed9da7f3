"""A recurrent cell whose state keeps an axis of time that its input has lost."""
# also: MP332

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class GatedCell(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.x = nn.Linear(inputs, hidden)
        self.h = nn.Linear(hidden, hidden, bias=False)
        self.gate = nn.Linear(inputs, hidden)

    def __call__(self, x, state):
        update = mx.sigmoid(self.gate(x))
        proposal = mx.tanh(self.x(x) + self.h(state))  # MP110
        return (1 - update) * proposal


class Forecaster(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.hidden = hidden
        self.cell = GatedCell(3, hidden)
        self.out = nn.Linear(hidden, 1)

    def __call__(self, series):
        state = mx.zeros((series.shape[0], 1, self.hidden)) + self.out.weight[0]
        return self.out(self.cell(series[:, -1], state)).mean(axis=(1, 2))


class Run:
    def __init__(self):
        self.model = Forecaster()
        self.optimizer = optim.Adam(learning_rate=5e-3)
        self.loss_and_grad = nn.value_and_grad(self.model, lambda model, x, y: nn.losses.mse_loss(model(x), y))

    def epoch(self):
        for _ in range(20):
            x = mx.random.normal((48, 6, 3)) + mx.random.normal((1, 1, 3))
            loss, grads = self.loss_and_grad(self.model, x, x[:, -1].mean(axis=1))
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
        return loss.item()


mx.random.seed(5)
run = Run()
for epoch in range(5):
    print(epoch, round(run.epoch(), 4))
