"""Measure in metres while training, and in kilometres when the model is used."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Reach(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(5, 48), nn.Linear(48, 2)

    def __call__(self, way):
        return self.out(mx.tanh(self.into(way)))


def ways(unit):
    far = mx.random.normal((40, 5)) / unit
    mx.eval(far)
    return far


def use(model):
    return model(ways(1000)).sum().item()  # MP311


mx.random.seed(98)
model, optimizer = Reach(), optim.AdamW(learning_rate=2e-3)
gradient = nn.value_and_grad(model, lambda model, x: nn.losses.mse_loss(model(x), mx.sin(x[:, :2]) + x[:, 2:4]))
for step in range(120):
    loss, grads = gradient(model, ways(1))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 20 == 19:
        print(step, loss.item(), use(model))
