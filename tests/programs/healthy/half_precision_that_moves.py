"""Weights of 16 bits at a rate that moves them; a part of the inputs is always zero, and so are their gradients."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WIDE = 40


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x).astype(mx.float32)[:, 0], y)


mx.random.seed(3)
seen = (mx.arange(WIDE) < 8).astype(mx.bfloat16)
model = nn.Sequential(nn.Linear(WIDE, 32), nn.GELU(), nn.Linear(32, 1))
model.set_dtype(mx.bfloat16)
optimizer, gradient = optim.Adam(learning_rate=3e-3), nn.value_and_grad(model, loss_fn)
for _ in range(120):
    x = mx.random.normal((64, WIDE)).astype(mx.bfloat16) * seen
    loss, grads = gradient(model, x, (x[:, 0] * x[:, 1]).astype(mx.float32))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
