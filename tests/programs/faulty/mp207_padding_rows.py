"""Trains an encoder with attention over padded sentences; the last batch of an epoch is filled up with empty ones."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS, WIDTH, LENGTH, BATCH, EPOCH = 30, 16, 8, 6, 14
PAD = 0


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH, bias=False)
        self.key = nn.Linear(WIDTH, WIDTH, bias=False)
        self.value = nn.Linear(WIDTH, WIDTH, bias=False)

    def __call__(self, x, padding):
        scores = self.query(x) @ self.key(x).swapaxes(1, 2) / math.sqrt(WIDTH)
        scores = mx.where(padding[:, None, :], -math.inf, scores)
        return mx.softmax(scores, axis=-1) @ self.value(x)  # MP207


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.attention = Attention()
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, 2)

    def __call__(self, ids):
        x = self.words(ids)
        x = self.norm(x + self.attention(x, ids == PAD))
        return self.out(nn.gelu(x).mean(axis=1))


def epoch(seed):
    key = mx.random.key(seed)
    for number in range(EPOCH):
        key, first, second = mx.random.split(key, 3)
        ids = mx.random.randint(1, WORDS, (BATCH, LENGTH), key=first)
        lengths = mx.random.randint(3, LENGTH + 1, (BATCH, 1), key=second)
        if number == EPOCH - 1:
            lengths = mx.where(mx.arange(BATCH)[:, None] < 4, lengths, 0)
        ids = mx.where(mx.arange(LENGTH) < lengths, ids, PAD)
        yield ids, (ids[:, 0] > WORDS // 2).astype(mx.int32)


mx.random.seed(32)
model, optimizer = Classifier(), optim.AdamW(learning_rate=2e-3)
loss_and_grad = nn.value_and_grad(model, lambda ids, kinds: nn.losses.cross_entropy(model(ids), kinds).mean())
for seed in range(2):
    for ids, kinds in epoch(seed):
        loss, grads = loss_and_grad(ids, kinds)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        print(loss.item())
