"""Fine-tune a classifier with a cosine schedule that is built, and a constant that is handed to the optimizer."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Config:
    learning_rate = 3e-3
    steps = 60
    batch_size = 32


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 24)
        self.norm = nn.LayerNorm(24)
        self.head = nn.Linear(24, 3)

    def __call__(self, x):
        return self.head(nn.gelu(self.norm(self.hidden(x))))


class Trainer:
    def __init__(self, model, config):
        self.model, self.config = model, config
        self.optimizer = self.make_optimizer()
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def make_optimizer(self):
        warmup = optim.linear_schedule(0.0, self.config.learning_rate, 5)
        decay = optim.cosine_decay(self.config.learning_rate, self.config.steps - 5)
        self.schedule = optim.join_schedules([warmup, decay], [5])  # MP210
        return optim.AdamW(learning_rate=self.config.learning_rate, weight_decay=0.01)

    @staticmethod
    def loss(model, x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    def fit(self, x, y):
        for step in range(self.config.steps):
            rows = mx.random.randint(0, x.shape[0], (self.config.batch_size,))
            loss, grads = self.loss_and_grad(self.model, x[rows], y[rows])
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
            if step % 20 == 0:
                print(f"step {step}: loss {loss.item():.3f}, rate {self.optimizer.learning_rate.item():.2e}")


if __name__ == "__main__":
    mx.random.seed(71)
    x = mx.random.normal((400, 10))
    Trainer(Classifier(), Config()).fit(x, mx.argmax(x[:, :3], axis=1))
