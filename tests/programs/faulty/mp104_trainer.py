"""Trains a bag-of-words topic classifier with a trainer that has hooks for logging."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class BagOfWords(nn.Module):
    def __init__(self, vocabulary, topics, width=16):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.topics = nn.Linear(width, topics)

    def __call__(self, ids):
        return self.topics(self.words(ids).mean(axis=1))


class TopicTrainer:
    def __init__(self, model, learning_rate):
        self.model = model
        self.optimizer = optim.AdamW(learning_rate=learning_rate, weight_decay=0.01)
        self._gradients = nn.value_and_grad(model, self._loss)
        self.epoch_hooks = []

    def _loss(self, ids, topics):
        return nn.losses.cross_entropy(self.model(ids), topics).mean()

    def _step(self, ids, topics):
        loss, grads = self._gradients(ids, topics)
        self.optimizer.update(self.model, grads)
        self._synchronise()
        return loss

    def _synchronise(self):
        mx.eval(self.model.parameters, self.optimizer)  # MP104

    def fit(self, batches, epochs):
        for epoch in range(epochs):
            for batch in batches:
                loss = self._step(*batch)
            for hook in self.epoch_hooks:
                hook(epoch, loss)


def make_batches(count, size=24, length=12, topics=4, vocabulary=80):
    for _ in range(count):
        labels = mx.random.randint(0, topics, (size,))
        own = topics * mx.random.randint(0, vocabulary // topics, (size, length)) + labels[:, None]
        yield mx.where(mx.random.bernoulli(0.6, own.shape), own, mx.random.randint(0, vocabulary, own.shape)), labels


mx.random.seed(7)
batches = list(make_batches(12))
mx.eval(batches)
trainer = TopicTrainer(BagOfWords(80, 4), learning_rate=2e-2)
trainer.epoch_hooks.append(lambda epoch, loss: print(f"epoch {epoch}: {loss.item():.3f}"))
trainer.fit(batches, epochs=3)

# also: MP101
# also: MP102
