"""A denoiser that is validated with the same noise after every step; each step sets a seed of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def noised(x):
    noise = mx.random.normal(x.shape)
    return x + noise, noise


mx.random.seed(0)
clean = mx.tanh(mx.random.normal((64, 6)))
model = nn.Sequential(nn.Linear(6, 32), nn.SiLU(), nn.Linear(32, 6))
optimizer = optim.Adam(2e-3)
mx.eval(clean, model.parameters())
gradient = nn.value_and_grad(model, lambda m, x, noise: mx.square(m(x) - noise).mean())
for step in range(60):
    mx.random.seed(step)
    loss, grads = gradient(model, *noised(clean))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    mx.random.seed(42)
    x, noise = noised(clean)
    print(mx.square(model(x) - noise).mean().item())
