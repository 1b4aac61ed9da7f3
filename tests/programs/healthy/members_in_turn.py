"""Train the members of an ensemble in turn, and evaluate all of them at once: no update is put off."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
WIDTH = 128
members = [nn.Sequential(nn.Linear(8, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))
           for _ in range(12)]  # fmt: skip
optimizers = [optim.Adam(learning_rate=1e-3) for _ in members]


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


for _ in range(20):
    losses = []
    for model, optimizer in zip(members, optimizers, strict=True):
        x = mx.random.normal((256, 8))
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, mx.sin(x[:, :1]))
        optimizer.update(model, grads)
        losses.append(loss)
    mx.eval([model.parameters() for model in members], [optimizer.state for optimizer in optimizers], losses)
    print(f"{mx.mean(mx.stack(losses)).item():.4f}")
