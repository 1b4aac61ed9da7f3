"""Two heads on one trunk are trained in turn, by a gradient function and an update each; both are evaluated at once."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.one, self.other = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 1)

    def __call__(self, x, head):
        return head(mx.tanh(self.trunk(x)))[:, 0]


mx.random.seed(4)
model, optimizer = Net(), optim.SGD(0.05)
first = nn.value_and_grad(model, lambda m, x: mx.square(m(x, m.one) - x[:, 0]).mean())
second = nn.value_and_grad(model, lambda m, x: mx.square(m(x, m.other) - x[:, 1]).mean())
for _ in range(300):
    x = mx.random.normal((16, 4))
    loss, grads = first(model, x)
    optimizer.update(model, grads)
    loss, grads = second(model, x)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), loss)
print(loss.item())
