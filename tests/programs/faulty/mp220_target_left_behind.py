"""A target network for a value function, which nobody brings up to date."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Value(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(3, 32), nn.Linear(32, 1)

    def __call__(self, place):
        return self.out(nn.relu(self.into(place)))[:, 0]


mx.random.seed(91)
value, target = Value(), Value()
target.update(value.parameters())
optimizer = optim.Adam(learning_rate=3e-3)


def loss_fn(value, place, later, reward):
    return nn.losses.mse_loss(value(place), reward + 0.9 * mx.stop_gradient(target(later)))


gradient = nn.value_and_grad(value, loss_fn)
for step in range(200):
    place = mx.random.normal((32, 3))
    later = 0.8 * place + 0.3 * mx.random.normal((32, 3))
    loss, grads = gradient(value, place, later, mx.tanh(place.sum(axis=1)))  # MP220
    optimizer.update(value, grads)
    mx.eval(loss, value.parameters(), optimizer.state)
