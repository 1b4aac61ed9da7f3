"""Train a sequence tagger (embedding, GRU, linear) with a trainer class; padding positions have a tag of their own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class TagSet:
    """Tags are numbered from 0; padding takes the number after the last one."""

    names = ("NOUN", "VERB", "ADJ", "DET", "PUNCT")

    @property
    def padding(self):
        return len(self.names)


class Tagger(nn.Module):
    def __init__(self, words, tags, width=24):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.gru = nn.GRU(width, width)
        self.project = nn.Linear(width, tags)

    def __call__(self, words):
        return self.project(self.gru(self.embedding(words)))


class Sentences:
    def __init__(self, tags, words=50, length=9):
        self.rng = np.random.default_rng(8)
        self.tags, self.words, self.length = tags, words, length

    def __iter__(self):
        while True:
            words = self.rng.integers(1, self.words, (12, self.length))
            tags = words % len(self.tags.names)
            for row in range(0, 12, 3):  # shorter sentences
                words[row, -2:], tags[row, -2:] = 0, self.tags.padding
            yield mx.array(words), mx.array(tags)


class Trainer:
    def __init__(self, model, optimizer, hooks):
        self.model, self.optimizer, self.hooks = model, optimizer, hooks
        self.gradients = nn.value_and_grad(model, self.loss)

    def loss(self, model, words, tags):
        logits = model(words)
        return self.reduce(logits, tags)

    def reduce(self, logits, tags):
        return nn.losses.cross_entropy(logits, tags, reduction="mean")  # MP304

    def fit(self, data, steps):
        for _, batch in zip(range(steps), data, strict=False):
            loss, grads = self.gradients(self.model, *batch)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state)
            for hook in self.hooks:
                hook(loss.item())


if __name__ == "__main__":
    mx.random.seed(8)
    tag_set, losses = TagSet(), []
    trainer = Trainer(Tagger(50, len(tag_set.names)), optim.AdamW(learning_rate=1e-2), [losses.append])
    trainer.fit(Sentences(tag_set), steps=30)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
