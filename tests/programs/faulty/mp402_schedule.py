"""Train for epochs in a method that makes its optimizer: the schedule is the whole run's, and begins anew in each."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EPOCHS, BATCHES, ROWS = 4, 15, 32


class Fit:
    def __init__(self, model, x, y):
        self.model, self.x, self.y = model, x, y
        self.loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

    def optimizer(self):
        updates = EPOCHS * BATCHES
        warmup = optim.linear_schedule(0.0, 2e-2, updates // 10)
        decay = optim.cosine_decay(2e-2, updates - updates // 10)
        return optim.AdamW(optim.join_schedules([warmup, decay], [updates // 10]))  # MP402

    def epoch(self):
        optimizer, order = self.optimizer(), mx.random.permutation(len(self.x))
        for k in range(BATCHES):
            rows = order[k * ROWS : (k + 1) * ROWS]
            loss, grads = self.loss_and_grad(self.x[rows], self.y[rows])
            optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), optimizer.state, loss)
        return loss.item()


mx.random.seed(19)
x = mx.random.uniform(-2, 2, (BATCHES * ROWS, 2))
fit = Fit(nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1)), x, mx.sin(2 * x[:, :1]) * x[:, 1:])
print([round(fit.epoch(), 4) for _ in range(EPOCHS)])
