"""Padding carries loss, or a masked loss is divided by all positions.

Symptom: the loss looks low, and the text's own is not: it ends 40 to 200 times above the correct loop's.
Cause: the mean is taken of all positions: padding is learned in the text's place, or counts in the divisor alone.
Fix: divide what is masked by the number of positions that the mask leaves.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from _tiny_llama import VOCABULARY

from mlxprobe import Outcome, Scenario

PAD, LENGTH, ROWS = 0, 24, 8

probe = Scenario()


def padded(seed, shortest=2):
    """Return rows of other lengths; each next token is (5 × token + 7) modulo 63, plus 1."""
    rng = np.random.default_rng(seed)
    tokens, longest = np.full((ROWS, LENGTH), PAD), rng.integers(shortest + 1, LENGTH + 1)
    for row, length in zip(tokens, rng.integers(shortest, longest, ROWS), strict=True):
        row[0] = rng.integers(1, VOCABULARY)
        for k in range(1, length):
            row[k] = (5 * row[k - 1] + 7) % (VOCABULARY - 1) + 1
    return mx.array(tokens)


def losses(model, tokens):
    """Return the cross-entropy of each next token."""
    return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])


def of_the_text(model, tokens):
    """Return the mean over the positions whose target is text."""
    mask = tokens[:, 1:] != PAD
    return (losses(model, tokens) * mask).sum() / mask.sum()


@probe.score
def held_out_loss(model):
    """Return the loss of the text alone, on batches that no variant trains on."""
    return sum(of_the_text(model, padded(1000 + k)).item() for k in range(8)) / 8


def train(loss_fn):
    mx.random.seed(0)
    model = nn.Sequential(nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY))
    optimizer = optim.SGD(learning_rate=1.0, momentum=0.9)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(80):
        loss, grads = loss_and_grad(model, padded(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def divided_by_what_carries():
    """Divide the masked loss by the number of positions that carry it."""
    return train(of_the_text)


@probe.broken(expects=Outcome.WRONG, finds=["MP308"])
def divided_by_all():
    """Take the mean of the masked loss, padding and all."""
    return train(lambda model, tokens: (losses(model, tokens) * (tokens[:, 1:] != PAD)).mean())


@probe.broken(expects=Outcome.WRONG, finds=["MP308"])
def padding_carries_loss():
    """Take the mean of every position's loss, as if padding were text."""
    return train(lambda model, tokens: losses(model, tokens).mean())
