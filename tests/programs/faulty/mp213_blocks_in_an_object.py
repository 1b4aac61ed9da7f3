# Blocks of a residual network in a list class of its own, which MLX does not walk.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Stack:
    def __init__(self, *blocks):
        self.blocks = blocks

    def __call__(self, x):
        for block in self.blocks:
            x = x + mx.tanh(block(x))
        return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Linear(8, 24)
        self.stack = Stack(nn.Linear(24, 24), nn.Linear(24, 24))  # MP213
        self.out = nn.Linear(24, 4)

    def __call__(self, x):
        return self.out(self.stack(self.into(x)))


def loss_fn(net, x, y):
    return nn.losses.cross_entropy(net(x), y, reduction="mean")


mx.random.seed(61)
net, optimizer = Net(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(net, loss_fn)
for step in range(80):
    y = mx.random.randint(0, 4, (48,))
    x = mx.random.normal((48, 8)) + 2 * mx.eye(8)[y]
    loss, grads = gradient(net, x, y)
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
print(loss.item())
