"""An on-policy buffer that is never emptied is handed to a compiled step as a whole."""
# also: MP103, MP502, MP505

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Buffer:
    def __init__(self):
        self.rows = []

    def extend(self, rows):
        self.rows.extend(rows)

    def arrays(self):
        seen, gained = zip(*self.rows, strict=True)
        return mx.array(np.stack(seen)), mx.array(np.array(gained, np.float32))


def rollout(rng, steps=12):
    seen = rng.normal(size=(steps, 5)).astype(np.float32)
    return [(one, float(np.tanh(one[:2].sum()))) for one in seen]


def loss_fn(critic, seen, gained):
    return nn.losses.mse_loss(critic(seen)[:, 0], gained)


mx.random.seed(1)
critic, optimizer = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1)), optim.Adam(learning_rate=3e-3)
state = [critic.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(seen, gained):
    loss, grads = nn.value_and_grad(critic, loss_fn)(critic, seen, gained)
    optimizer.update(critic, grads)
    return loss


buffer, rng = Buffer(), np.random.default_rng(1)
for iteration in range(40):
    buffer.extend(rollout(rng))
    loss = step(*buffer.arrays())  # MP109
    mx.eval(loss, state)
print(loss.item())
