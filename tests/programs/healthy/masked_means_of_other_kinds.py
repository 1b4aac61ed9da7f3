"""Mask losses in right ways that weigh, or look, like a mean of all: scaled, gathered, by row, by class, or summed."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

CLASSES, PAD, LENGTH, ROWS = 9, 0, 16, 12


def batch(rng, half):
    """Return rows of digits that end in padding: half of each, or as it comes."""
    lengths = np.full(ROWS, LENGTH // 2) if half else rng.integers(3, LENGTH, ROWS)
    digits = 1 + (rng.integers(0, 8, (ROWS, 1)) + 3 * np.arange(LENGTH)) % 8
    return mx.array(np.where(np.arange(LENGTH) < lengths[:, None], digits, PAD))


def losses_and_mask(model, ids, **options):
    targets = ids[:, 1:]
    return nn.losses.cross_entropy(model(ids[:, :-1]), targets, **options), (targets != PAD).astype(mx.float32)


def scaled_by_a_half(model, ids):
    losses, mask = losses_and_mask(model, ids)
    return 0.5 * (losses * mask).sum() / mask.sum()


def by_row(model, ids):
    losses, mask = losses_and_mask(model, ids)
    return ((losses * mask).sum(axis=1) / mask.sum(axis=1)).mean()


def summed(model, ids):
    losses, mask = losses_and_mask(model, ids, label_smoothing=0.1)
    return (losses * mask).sum() / 100


def by_class(model, ids):
    weights = mx.array([0.0, *np.linspace(0.5, 1.5, CLASSES - 1)])[ids[:, 1:]]
    losses, _ = losses_and_mask(model, ids, weights=weights)
    return losses.sum() / weights.sum()


rng = np.random.default_rng(3)
for loss_fn, half in ((scaled_by_a_half, True), (by_row, False), (summed, False), (by_class, False)):
    mx.random.seed(3)
    model = nn.Sequential(nn.Embedding(CLASSES, 16), nn.Linear(16, CLASSES))
    optimizer = optim.Adam(learning_rate=0.02)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(20):
        loss, grads = loss_and_grad(model, batch(rng, half))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(f"{loss_fn.__name__}: {loss.item():.3f}")
