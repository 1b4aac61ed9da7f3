"""Multiply a list of one block: the four blocks of a small network are one, at four places."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)

    def __call__(self, x):
        return x + nn.gelu(self.inner(self.norm(x)))


class Net(nn.Module):
    def __init__(self, inputs, width=16, depth=4):
        super().__init__()
        self.lift = nn.Linear(inputs, width)
        self.blocks = nn.Sequential(*[Block(width)] * depth)  # MP217
        self.out = nn.Linear(width, 1)

    def __call__(self, x):
        return self.out(self.blocks(self.lift(x)))


mx.random.seed(5)
net, optimizer = Net(3), optim.AdamW(learning_rate=3e-3)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
for step in range(120):
    x = mx.random.uniform(-1, 1, (64, 3))
    loss, grads = gradient(x, mx.sin(3 * x[:, :1]) * x[:, 1:2])
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
    if step % 30 == 0:
        print(step, loss.item())
