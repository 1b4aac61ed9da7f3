"""A division of whole numbers leaves nothing of an input.

Symptom: a network that is to know how noisy its input is learns only what holds for all noise alike.
Cause: `level // LEVELS` is 0 for every level, so that the level reaches the first layer as the same number.
Fix: `level / LEVELS`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()
LEVELS = 50


class Denoiser(nn.Module):
    """Tell the noise in a point from the point and the level of its noise."""

    def __init__(self, share):
        super().__init__()
        self._share = share
        self.first, self.last = nn.Linear(3, 64), nn.Linear(64, 2)

    def __call__(self, x, level):
        """Return the noise, as far as it can be told."""
        return self.last(nn.silu(self.first(mx.concatenate([x, self._share(level)[:, None]], axis=1))))


def train(share):
    """Train a denoiser that is given a share of its levels."""
    mx.random.seed(0)
    model = Denoiser(share)
    optimizer = optim.Adam(learning_rate=3e-3)

    def squared_error(x, level, noise):
        return nn.losses.mse_loss(model(x + noise, level), noise)

    loss_and_grad = nn.value_and_grad(model, squared_error)
    for _ in range(150):
        level = mx.random.randint(0, LEVELS, (64,))
        noise = 2 * level[:, None] / LEVELS * mx.random.normal((64, 2))
        loss, grads = loss_and_grad(mx.random.normal((64, 2)), level, noise)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def a_share():
    """Divide."""
    return train(lambda level: level / LEVELS)


@probe.broken(expects=Outcome.WRONG, finds=["MP312"])
def a_whole_number():
    """Divide whole numbers, and round down."""
    return train(lambda level: (level // LEVELS).astype(mx.float32))
