"""A mean and a variance for each point; the variance is what a layer returns, negative or not."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(3, 32), nn.Linear(32, 1), nn.Linear(32, 1)

    def __call__(self, x):
        hidden = mx.tanh(self.body(x))
        return self.mean(hidden)[:, 0], self.spread(hidden)[:, 0]


def likelihood(model, x, y):
    mean, spread = model(x)
    return nn.losses.gaussian_nll_loss(mean, y, spread)  # MP302


mx.random.seed(3)
model, optimizer = Both(), optim.Adam(learning_rate=1e-3)
gradient = nn.value_and_grad(model, likelihood)
for _ in range(60):
    x = mx.random.normal((64, 3))
    y = x[:, 0] - x[:, 1] + 0.1 * mx.exp(x[:, 2]) * mx.random.normal((64,))
    loss, grads = gradient(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
# also: MP208, MP306
