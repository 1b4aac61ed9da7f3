"""A step is compiled anew for each phase; the test between two of them leaves its mode behind."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
tagger = nn.Sequential(nn.Embedding(30, 24), nn.Dropout(0.3), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 5))


def loss_fn(model, words, tags):
    return nn.losses.cross_entropy(model(words), tags).mean()


def draw(count=16):
    words = mx.random.randint(0, 30, (count, 9))
    return words, words % 5


def accuracy():
    tagger.eval()  # MP215
    words, tags = draw(64)
    return (mx.argmax(tagger(words), axis=-1) == tags).mean().item()


def phase(rate, steps):
    optimizer = optim.SGD(learning_rate=rate)
    state = [tagger.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(words, tags):
        loss, grads = nn.value_and_grad(tagger, loss_fn)(tagger, words, tags)
        optimizer.update(tagger, grads)
        return loss

    for _ in range(steps):
        loss = step(*draw())
        mx.eval(loss, state)
    return loss.item()


for rate in (0.5, 0.3, 0.1):
    print(f"{rate}: loss {phase(rate, 30):.3f}, accuracy {accuracy():.2f}")
