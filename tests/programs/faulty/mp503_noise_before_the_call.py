"""A denoiser whose noise is drawn before the gradient call, from the same seed at every step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def seeded(seed):
    mx.random.seed(seed)  # MP503


def noised(x):
    noise = mx.random.normal(x.shape)
    return x + noise, noise


seeded(0)
clean = mx.tanh(mx.random.normal((64, 6)))
model = nn.Sequential(nn.Linear(6, 32), nn.SiLU(), nn.Linear(32, 6))
optimizer = optim.Adam(2e-3)
mx.eval(clean, model.parameters())
gradient = nn.value_and_grad(model, lambda m, x, noise: mx.square(m(x) - noise).mean())
for _ in range(60):
    seeded(42)
    loss, grads = gradient(model, *noised(clean))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
