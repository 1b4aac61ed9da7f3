"""Pictures' channels are told by their mean; the mean is taken where another framework has height and width."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.out = nn.Linear(6, 3)

    def __call__(self, x):
        x = nn.relu(self.two(nn.relu(self.one(x))))
        return self.out(x.mean(axis=(2, 3)))  # MP330


def pictures(rows):
    kinds = mx.random.randint(0, 3, (rows,))
    waves = mx.sin((kinds + 1)[:, None, None] * mx.arange(12)[None, None] + mx.random.uniform(shape=(rows, 12, 1)))
    return (waves + 0.3 * mx.random.normal((rows, 12, 12)))[..., None], kinds


mx.random.seed(5)
model, optimizer = Net(), optim.Adam(learning_rate=2e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(60):
    loss, grads = gradient(model, *pictures(32))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
# also: MP306, MP341
