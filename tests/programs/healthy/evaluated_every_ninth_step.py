"""Evaluate parameters and state every ninth step, which costs some memory and saves some time."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
WIDTH, EVERY, STEPS = 32, 9, 60
layers = [layer for _ in range(4) for layer in (nn.Linear(WIDTH, WIDTH), nn.Tanh())]
model = nn.Sequential(nn.Linear(8, WIDTH), nn.Tanh(), *layers, nn.Linear(WIDTH, 1))
optimizer = optim.Adam(learning_rate=1e-3)


def loss_fn(model, x):
    return mx.mean((model(x) - mx.sin(x[:, :1])) ** 2)


value_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for step in range(1, STEPS + 1):
    loss, grads = value_and_grad(model, mx.random.normal((64, 8)))
    optimizer.update(model, grads)
    losses.append(loss)
    if step % EVERY == 0 or step == STEPS:
        mx.eval(model.parameters(), optimizer.state, losses)
        print(f"{mx.mean(mx.stack(losses)).item():.4f}")
        losses.clear()
