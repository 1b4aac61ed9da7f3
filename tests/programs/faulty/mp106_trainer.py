"""A trainer that reads its loss for the progress bar, and takes that for the evaluation of the step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Progress:
    def __init__(self, total):
        self.total, self.seen = total, 0

    def update(self, loss):
        self.seen += 1
        if self.seen % 20 == 0:
            print(f"{self.seen}/{self.total} loss={loss:.4f}")


class Autoencoder(nn.Module):
    def __init__(self, size=20, code=4):
        super().__init__()
        self.encoder = nn.Linear(size, code)
        self.decoder = nn.Linear(code, size)

    def __call__(self, x):
        return self.decoder(nn.relu(self.encoder(x)))


class Trainer:
    def __init__(self, model, learning_rate=5e-3):
        self.model = model
        self.optimizer = optim.AdamW(learning_rate=learning_rate)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, model, x):
        return nn.losses.mse_loss(model(x), x)

    def train_step(self, x):
        loss, grads = self.loss_and_grad(self.model, x)
        self.optimizer.update(self.model, grads)  # MP106
        return loss.item()

    def fit(self, steps):
        progress = Progress(steps)
        basis = mx.random.normal((4, 20))
        for _ in range(steps):
            progress.update(self.train_step(mx.random.normal((16, 4)) @ basis))


mx.random.seed(4)
Trainer(Autoencoder()).fit(100)
