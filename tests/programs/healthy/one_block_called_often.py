"""Share one block on purpose: it is called four times; lists hold layers of their own, or one that has no weights."""
# no note: MP217

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self, inputs, width=16, depth=4):
        super().__init__()
        self.lift = [nn.Linear(inputs, width)]
        self.block = nn.Linear(width, width)
        self.scales = [nn.RMSNorm(width) for _ in range(depth)]
        self.bends = [nn.GELU()] * depth
        self.out = nn.Linear(width, 1)

    def __call__(self, x):
        x = self.lift[0](x)
        for scale, bend in zip(self.scales, self.bends, strict=True):
            x = x + bend(self.block(scale(x)))
        return self.out(x)


mx.random.seed(6)
net, optimizer = Net(3), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
for step in range(120):
    x = mx.random.uniform(-1, 1, (64, 3))
    loss, grads = gradient(x, mx.sin(3 * x[:, :1]) * x[:, 1:2])
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
    if step % 30 == 0:
        print(step, loss.item())
