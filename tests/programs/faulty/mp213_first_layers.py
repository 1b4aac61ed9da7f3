"""The first layers of a network lie in a chain of its own class: only the head is trained."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Chain:
    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, x):
        for step in self.steps:
            x = mx.tanh(step(x))
        return x


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.chain = Chain(nn.Linear(5, 32), nn.Linear(32, 32))  # MP213
        self.head = nn.Linear(32, 2)

    def __call__(self, x):
        return self.head(self.chain(x))


mx.random.seed(44)
net, optimizer = Regressor(), optim.AdamW(learning_rate=3e-3)
gradient = nn.value_and_grad(net, lambda net, x, y: nn.losses.mse_loss(net(x), y))
for step in range(100):
    x = mx.random.normal((48, 5))
    loss, grads = gradient(net, x, mx.sin(2 * x[:, :2]) * x[:, 2:4])
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
print(loss.item())
