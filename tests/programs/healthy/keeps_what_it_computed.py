"""A module keeps the hidden values of every call in a list, to look at them later."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out, self._kept = nn.Linear(4, 8), nn.Linear(8, 1), []

    def __call__(self, x):
        h = mx.tanh(self.hidden(x))
        self._kept.append(h)
        return self.out(h)


mx.random.seed(6)
model, optimizer = Net(), optim.SGD(0.1)
gradient = nn.value_and_grad(model, lambda x, y: mx.square(model(x) - y).mean())
for _ in range(60):
    x = mx.random.normal((16, 4))
    loss, grads = gradient(x, x[:, :1] * 2)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), loss)
    model._kept = model._kept[-3:]
print(loss.item())
