# A compiled step: the norm is reported, the gradients are those from before.
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(16)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
mx.eval(model.parameters())
optimizer = optim.Adam(learning_rate=1e-3)
state = [model.state, optimizer.state]


def loss_fn(model, x, y):
    return mx.mean(mx.square(model(x) - y))


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, raw = nn.value_and_grad(model, loss_fn)(model, x, y)
    _, norm = optim.clip_grad_norm(raw, 0.5)  # MP212
    optimizer.update(model, raw)
    return loss, norm


for _ in range(60):
    x = mx.random.normal((64, 6))
    loss, norm = step(x, 8 * x[:, :2])
    mx.eval(state, loss, norm)
print(loss.item(), norm.item())
