"""Fit a noisy sine with a cosine decay that is over after a sixth of the run."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(72)
EPOCHS, BATCHES = 12, 10
model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
rate = optim.cosine_decay(1e-2, 2 * BATCHES)
optimizer = optim.Adam(learning_rate=rate)
state = [model.state, optimizer.state]
x = mx.random.uniform(-3, 3, (320, 1))
y = mx.sin(x) + 0.05 * mx.random.normal(x.shape)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))(x, y)
    optimizer.update(model, grads)
    return loss


for epoch in range(EPOCHS):
    for first in range(0, 320, 32):
        loss = step(x[first : first + 32], y[first : first + 32])  # MP210
        mx.eval(loss, state)
    print(f"epoch {epoch}: {loss.item():.4f}")
