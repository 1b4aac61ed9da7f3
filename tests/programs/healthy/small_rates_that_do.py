"""Rates that look small: a plateau that takes them down where nothing is gained, tiny ones at the end, equal decays."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x)[:, 0], y)


def fit(optimizer, updates, plateau):
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    gradient, best, bad = nn.value_and_grad(model, loss_fn), float("inf"), 0
    for step in range(updates):
        x = mx.random.normal((64, 6))
        loss, grads = gradient(model, x, x[:, 0] - mx.sin(2 * x[:, 1]))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
        if plateau and step % 10 == 9:
            bad = 0 if loss.item() < best else bad + 1
            best = min(best, loss.item())
            if bad == 3 and optimizer.learning_rate.item() > 1e-5:
                optimizer.learning_rate, bad = optimizer.learning_rate * 0.2, 0
    return loss.item()


mx.random.seed(2)
print(fit(optim.Adam(learning_rate=5e-3, betas=[0.9, 0.9]), 200, True))
print(fit(optim.AdamW(learning_rate=optim.cosine_decay(5e-3, 150, 1e-8)), 150, False))
