"""Denoise points at random moments of a schedule, of which a division of whole numbers leaves nothing."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

MOMENTS = 100
kept = mx.cumprod(1 - mx.linspace(1e-4, 0.05, MOMENTS))


class Denoiser(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.first, self.last = nn.Linear(4, width), nn.Linear(width, 2)

    def __call__(self, x, moment):
        share = (moment // MOMENTS)[:, None]  # MP312
        angles = mx.concatenate([mx.sin(share), mx.cos(share)], axis=1)
        return self.last(nn.silu(self.first(mx.concatenate([x, angles], axis=1))))


def squared_error(model, x):
    moment = mx.random.randint(0, MOMENTS, (x.shape[0],))
    noise, share = mx.random.normal(x.shape), kept[moment][:, None]
    return mx.mean((model(mx.sqrt(share) * x + mx.sqrt(1 - share) * noise, moment) - noise) ** 2)


mx.random.seed(0)
model, optimizer = Denoiser(), optim.Adam(2e-3)
state = [model.state, optimizer.state, mx.random.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(x):
    loss, grads = nn.value_and_grad(model, squared_error)(model, x)
    optimizer.update(model, grads)
    return loss


for _ in range(60):
    turn = mx.random.uniform(shape=(64,)) * 6.28
    loss = step(mx.stack([mx.cos(turn), mx.sin(turn)], axis=1))
    mx.eval(loss, state)
    loss.item()
