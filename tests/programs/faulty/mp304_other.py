"""Classify bags of words over a frozen table of word vectors, with an extra id for unknown words."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

WORDS, WIDTH = 4096, 32
UNKNOWN = WORDS  # the vectorizer numbers known words from 0 and unknown words with the next free id

mx.random.seed(2)
rng = np.random.default_rng(2)


class BagOfWords(nn.Module):
    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(WORDS, WIDTH)
        self.classify = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, 2))

    def __call__(self, ids):
        return self.classify(self.vectors(ids).sum(axis=1))  # MP304


def documents(size=32, length=12):
    topic = rng.integers(0, 2, size)
    ids = rng.integers(0, 40, (size, length)) + 40 * topic[:, None]
    ids[rng.random((size, length)) < 0.1] = UNKNOWN
    return mx.array(ids), mx.array(topic)


def loss_fn(ids, topic):
    return nn.losses.cross_entropy(model(ids), topic, reduction="mean")


model = BagOfWords()
model.vectors.freeze()
mx.eval(model.parameters())
optimizer = optim.Adagrad(learning_rate=0.05)
loss_and_grad = nn.value_and_grad(model, loss_fn)

losses = []
for _ in range(30):
    loss, grads = loss_and_grad(*documents())
    optimizer.update(model, grads)
    mx.eval(loss, model.trainable_parameters(), optimizer.state)
    losses.append(loss.item())
print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")
