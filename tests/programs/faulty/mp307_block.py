"""Pads the blocks of a convolutional model on both sides, in a file of parts; the step is compiled."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LEVELS = 12


class Block(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        self.reach = 2 * dilation
        self.conv, self.norm = nn.Conv1d(width, width, 3, dilation=dilation), nn.LayerNorm(width)

    def __call__(self, x):
        wide = mx.pad(x, [(0, 0), (self.reach // 2, self.reach // 2), (0, 0)])  # MP307
        return x + nn.gelu(self.norm(self.conv(wide)))


class Waves(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.embed, self.head = nn.Embedding(LEVELS, width), nn.Linear(width, LEVELS)
        self.blocks = [Block(width, 2**k) for k in range(2)]

    def __call__(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


mx.random.seed(3)
model, optimizer = Waves(), optim.AdamW(3e-3)
state = [model.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    def loss_of(model):
        return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")

    loss, grads = nn.value_and_grad(model, loss_of)(model)
    optimizer.update(model, grads)
    return loss


for _ in range(30):
    loss = step(mx.cumsum(mx.random.randint(1, 3, (8, 20)), axis=1) % LEVELS)
    mx.eval(loss, state)
