"""Trains a colour-naming MLP with gradient accumulation over epochs of twenty-three batches."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Accumulator:
    def __init__(self, every):
        self.every = every
        self.reset()

    def reset(self):
        self.sum, self.count = None, 0

    def add(self, grads):
        self.sum = grads if self.sum is None else tree_map(mx.add, self.sum, grads)
        self.count += 1
        mx.eval(self.sum)

    def mean(self):
        return tree_map(lambda value: value / self.count, self.sum)


class Trainer:
    def __init__(self, model, optimizer, accumulate):
        self.model, self.optimizer = model, optimizer
        self.accumulator, self.callbacks = Accumulator(accumulate), []
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, colours, names):
        return nn.losses.cross_entropy(self.model(colours), names, reduction="mean")

    def micro_step(self, colours, names):
        loss, grads = self.loss_and_grad(colours, names)  # MP204
        self.accumulator.add(grads)
        if self.accumulator.count == self.accumulator.every:
            self.optimizer.update(self.model, self.accumulator.mean())
            self.accumulator.reset()
            mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, batches, epochs):
        for epoch in range(epochs):
            losses = [self.micro_step(*batch) for batch in batches]
            for callback in self.callbacks:
                callback(epoch, sum(losses) / len(losses))


mx.random.seed(17)
colours = [mx.random.uniform(shape=(16, 3)) for _ in range(23)]
batches = [(colour, mx.argmax(colour, axis=1)) for colour in colours]
mx.eval(batches)
network = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 3))
trainer = Trainer(network, optim.AdamW(learning_rate=5e-2), accumulate=4)
trainer.callbacks.append(lambda epoch, loss: print(f"epoch {epoch}: {loss:.3f}"))
trainer.fit(batches, epochs=2)
