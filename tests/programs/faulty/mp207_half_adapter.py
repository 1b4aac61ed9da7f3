"""Trains low-rank adapters on a float16 base, with the scale of another library: alpha, not alpha over rank."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WIDTH, RANK, ALPHA = 64, 16, 256.0


class Adapter(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear
        self.a = (mx.random.normal((WIDTH, RANK)) / 4).astype(mx.float16)
        self.b = mx.zeros((RANK, WIDTH), mx.float16)

    def __call__(self, x):
        return self.linear(x) + ALPHA * ((x @ self.a) @ self.b)  # MP207


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def __call__(self, x):
        return x + self.down(nn.silu(self.up(x)))


def error(model, x, y):
    return mx.mean(mx.square(model(x) - y))


mx.random.seed(33)
model = nn.Sequential(Block(), Block(), Block())
model.set_dtype(mx.float16)
model.freeze()
for block in model.layers:
    block.up, block.down = Adapter(block.up), Adapter(block.down)
    for adapter in (block.up, block.down):
        adapter.unfreeze(keys=["a", "b"], recurse=False)
x = mx.random.normal((32, WIDTH)).astype(mx.float16)
optimizer = optim.SGD(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(model, error)
for step in range(30):
    loss, grads = loss_and_grad(model, x, mx.roll(x, 1, axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), loss)
    print(step, loss.item())
