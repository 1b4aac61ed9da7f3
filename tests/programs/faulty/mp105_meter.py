"""A meter smooths each loss that it is given, and evaluates none; the weights are evaluated."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Meter:
    def __init__(self, share):
        self.share, self.level = share, 0.0

    def show(self, loss):
        self.level = self.share * self.level + (1 - self.share) * loss  # MP105


mx.random.seed(83)
net, optimizer, meter = nn.Linear(12, 3), optim.Adam(learning_rate=1e-2), Meter(0.95)
gradient = nn.value_and_grad(net, lambda x: nn.losses.mse_loss(net(x), mx.sin(x[:, :3])))
for step in range(150):
    loss, grads = gradient(mx.random.normal((32, 12)))
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state)
    meter.show(loss)
print(meter.level.item())
