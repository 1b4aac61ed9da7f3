"""Trains a character model over windows of three micro-batches, with momentum."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

MICRO_BATCHES, SIZE, CONTEXT, UPDATES = 3, 8, 12, 20
TEXT = "the quick brown fox jumps over the lazy dog and runs away " * 20


class CharModel(nn.Module):
    def __init__(self, characters, width=20):
        super().__init__()
        self.embed = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width)
        self.out = nn.Linear(width, characters)

    def __call__(self, ids):
        return self.out(self.lstm(self.embed(ids))[0])


class Trainer:
    def __init__(self, learning_rate):
        alphabet = sorted(set(TEXT))
        self.ids = mx.array([alphabet.index(character) for character in TEXT])
        self.model = CharModel(len(alphabet))
        self.optimizer = optim.SGD(learning_rate=learning_rate, momentum=0.5)
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)
        self.accumulated = None

    def loss(self, ids):
        return nn.losses.cross_entropy(self.model(ids[:, :-1]), ids[:, 1:], reduction="mean")

    def micro_step(self):
        starts = mx.random.randint(0, len(TEXT) - CONTEXT - 1, (SIZE, 1))
        loss, grads = self.loss_and_grad(self.ids[starts + mx.arange(CONTEXT + 1)])
        self.accumulated = grads if self.accumulated is None else tree_map(mx.add, self.accumulated, grads)
        mx.eval(loss, self.accumulated)
        return loss.item()

    def apply(self):
        self.optimizer.update(self.model, self.accumulated)  # MP203
        self.accumulated = None
        mx.eval(self.model.parameters(), self.optimizer.state)

    def log(self, update, loss):
        if update % 5 == 0:
            print(f"update {update}: {loss:.3f}")

    def fit(self):
        for update in range(UPDATES):
            losses = [self.micro_step() for _ in range(MICRO_BATCHES)]
            self.apply()
            self.log(update, sum(losses) / len(losses))


mx.random.seed(15)
Trainer(learning_rate=1.0).fit()
