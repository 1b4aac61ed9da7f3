"""Five members are to differ, so that their spread tells what they are sure of; they are one and the same."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Member(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(1, 24), nn.Linear(24, 1)

    def __call__(self, x):
        return self.two(mx.tanh(self.one(x)))


class Members(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.members = [Member()] * count  # MP217

    def __call__(self, x):
        return mx.stack([member(x) for member in self.members])


mx.random.seed(6)
model, optimizer = Members(5), optim.Adam(learning_rate=5e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: mx.mean(mx.square(model(x) - y[None])))
for _ in range(60):
    x = mx.random.uniform(-3, 3, (48, 1))
    loss, grads = gradient(model, x, mx.sin(2 * x))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item(), mx.std(model(mx.array([[5.0]])), axis=0).item())
