"""Mixing weights behind an underscore, in a compiled step."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(10, 16)
        self._mix = mx.random.normal((16, 3)) / 4  # MP213

    def __call__(self, x):
        return nn.gelu(self.layer(x)) @ self._mix


mx.random.seed(62)
model, optimizer = Mixer(), optim.AdamW(learning_rate=5e-3)
mx.eval(model.state)
state = [model.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))(x, y)
    optimizer.update(model, grads)
    return loss


for _ in range(80):
    x = mx.random.normal((32, 10))
    loss = step(x, x[:, :3])
    mx.eval(state, loss)
print(loss.item())
