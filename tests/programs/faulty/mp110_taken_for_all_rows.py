"""Values of actions, learnt in a compiled step: `mx.take` gives every row the actions of all of them."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(7)
values = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 4))
optimizer = optim.Adam(learning_rate=3e-3)


def error(states, actions, returns):
    said = mx.take(values(states), actions, axis=1)  # MP110
    return mx.mean(mx.square(said - returns[:, None]))


gradient = nn.value_and_grad(values, error)
state = [values.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(states, actions, returns):
    loss, grads = gradient(states, actions, returns)
    optimizer.update(values, grads)
    return loss


for _ in range(60):
    states, actions = mx.random.normal((40, 6)), mx.random.randint(0, 4, (40,))
    loss = step(states, actions, mx.take_along_axis(states, actions[:, None], axis=1)[:, 0])
    mx.eval(state, loss)
print(loss.item())
