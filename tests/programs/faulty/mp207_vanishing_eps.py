"""Trains a model that was converted to float16 as a whole, with Adam as it is."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS, WIDTH = 60, 12


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.out = nn.Linear(WIDTH, 4)

    def __call__(self, ids):
        return self.out(self.words(ids).mean(axis=1))


class Trainer:
    def __init__(self, model):
        self.model = model
        self.model.set_dtype(mx.float16)
        self.optimizer = optim.Adam(learning_rate=1e-3)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, ids, kinds):
        return nn.losses.cross_entropy(self.model(ids), kinds, reduction="mean")

    def step(self, ids, kinds):
        loss, grads = self.loss_and_grad(ids, kinds)
        self.optimizer.update(self.model, grads)  # MP207
        mx.eval(self.model, self.optimizer.state)
        return loss.item()


mx.random.seed(35)
trainer = Trainer(Bag())
for _ in range(10):
    ids = mx.random.randint(0, WORDS, (16, 3))
    print(trainer.step(ids, ids[:, 0] % 4))
