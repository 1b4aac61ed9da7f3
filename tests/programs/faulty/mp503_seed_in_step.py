"""Denoise vectors; the function that makes a step's noise sets the seed, so that it is always the same noise."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Denoiser(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.into, self.out = nn.Linear(width, 48), nn.Linear(48, width)

    def __call__(self, x):
        return self.out(nn.gelu(self.into(x)))


def corrupted(x, sigma=0.5, seed=7):
    mx.random.seed(seed)  # MP503
    return x + sigma * mx.random.normal(x.shape)


def loss_fn(model, x):
    return nn.losses.mse_loss(model(corrupted(x)), x)


mx.random.seed(1)
data = mx.random.normal((256, 4)) @ mx.random.normal((4, 12))
mx.eval(data)
model, optimizer = Denoiser(12), optim.Adam(learning_rate=2e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(40):
    start = 32 * (step % 8)
    loss, grads = loss_and_grad(model, data[start : start + 32])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
