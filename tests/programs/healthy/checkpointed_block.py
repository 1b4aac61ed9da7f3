"""Recompute each residual block in the backward pass with mx.checkpoint to save activation memory."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def __call__(self, x):
        return x + self.down(nn.gelu(self.up(self.norm(x))))


def checkpointed(module):
    def run(parameters, x):
        module.update(parameters)
        return module(x)

    recomputed = mx.checkpoint(run)
    return lambda x: recomputed(module.trainable_parameters(), x)


class Net(nn.Module):
    def __init__(self, width=24, depth=3):
        super().__init__()
        self.enter = nn.Linear(5, width)
        self.blocks = [Block(width) for _ in range(depth)]
        self.leave = nn.Linear(width, 1)

    def __call__(self, x):
        x = self.enter(x)
        for block in self.blocks:
            x = checkpointed(block)(x)
        return self.leave(x)


mx.random.seed(25)
x = mx.random.normal((128, 5))
y = x[:, :1] * x[:, 1:2] + x[:, 2:3]
model = Net()
optimizer = optim.AdamW(learning_rate=0.005)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
losses = []
for _ in range(30):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
