"""Walks through places within the loss; where the walk stands is evaluated at each step, and has no gradient."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
value, optimizer = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)), optim.Adam(1e-3)


def loss_of(start):
    place, every = start, []
    for _ in range(100):
        place = mx.clip(place + 0.1 * mx.random.normal(place.shape), -1, 1)
        mx.eval(place)
        every.append(place)
    walked = mx.stack(every)
    return ((value(walked)[..., 0] - mx.square(walked).sum(-1)) ** 2).mean()


step = nn.value_and_grad(value, loss_of)
for _ in range(30):
    loss, grads = step(mx.random.uniform(-1, 1, (8, 2)))
    optimizer.update(value, grads)
    mx.eval(loss, value.parameters(), optimizer.state)
    print(loss.item())
