"""Reshape on the way to heads, windows, patches and groups as it is right, with sizes that look like it is not."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(29)
ROWS, LENGTH, WIDTH, HEADS = 8, 12, 24, 4


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inward, self.out = nn.Linear(6, WIDTH), nn.Linear(WIDTH, 6)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.within = nn.Linear(WIDTH, WIDTH)

    def __call__(self, x):
        x = self.inward(x)
        q, k, v = (
            layer(x).reshape(ROWS, LENGTH, HEADS, -1).transpose(0, 2, 1, 3) for layer in (self.q, self.k, self.v)
        )
        mixed = mx.fast.scaled_dot_product_attention(q, k, v, scale=(WIDTH // HEADS) ** -0.5)
        x = x + mixed.transpose(0, 2, 1, 3).reshape(ROWS, LENGTH, WIDTH)
        windows = x.reshape(ROWS, 3, 4, WIDTH)
        x = x + self.within(windows.mean(axis=2, keepdims=True) + windows).reshape(ROWS, LENGTH, WIDTH)
        flat = x.reshape(ROWS * LENGTH, HEADS, -1)
        x = (flat / (1e-3 + mx.abs(flat).mean(axis=-1, keepdims=True))).reshape(ROWS, LENGTH, WIDTH)
        patches = x.reshape(ROWS, 3, 4, 2, 12).transpose(0, 1, 3, 2, 4).reshape(ROWS, 6, 48)
        return self.out(x) + patches.mean(axis=(1, 2), keepdims=True)


model, optimizer = Mixer(), optim.Adam(learning_rate=2e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for i in range(80):
    x = mx.random.normal((ROWS, LENGTH, 6))
    loss, grads = step(x, x.mean(axis=1, keepdims=True) + x)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
