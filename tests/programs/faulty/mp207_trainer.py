"""Trains a tagger on padded sentences, with a loss that leaves the padding out."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

PAD, WORDS, TAGS, LENGTH = 0, 40, 4, 9


class Tagger(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.mix = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.tags = nn.Linear(width, TAGS)

    def __call__(self, ids):
        return self.tags(nn.relu(self.mix(self.words(ids))))


class TaggerTrainer:
    def __init__(self, model, optimizer, callbacks):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks
        self.loss_and_grad = nn.value_and_grad(model, self.masked_loss)

    def masked_loss(self, ids, tags):
        mask = ids != PAD
        each = nn.losses.cross_entropy(self.model(ids), tags)
        per_sentence = mx.sum(each * mask, axis=1) / mx.sum(mask, axis=1)  # MP207
        return mx.mean(mx.where(mx.any(mask, axis=1), per_sentence, 0.0))

    def step(self, ids, tags):
        loss, grads = self.loss_and_grad(ids, tags)
        self.optimizer.update(self.model, grads)
        mx.eval(loss, self.model.parameters(), self.optimizer.state)
        return loss

    def fit(self, batches):
        for ids, tags in batches:
            loss = self.step(mx.array(ids), mx.array(tags)).item()
            for callback in self.callbacks:
                callback(loss)


def sentences(batches, size=16, seed=23):
    rng = np.random.default_rng(seed)
    for number in range(batches):
        ids = rng.integers(1, WORDS, (size, LENGTH))
        ids[np.arange(LENGTH) >= rng.integers(3, LENGTH + 1, (size, 1))] = PAD
        if number == 20:
            ids[5] = PAD  # an empty line of the corpus
        yield ids, ids % TAGS


mx.random.seed(23)
losses = []
TaggerTrainer(Tagger(), optim.Adam(learning_rate=1e-2), [losses.append]).fit(sentences(30))
