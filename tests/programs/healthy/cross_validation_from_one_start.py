"""Cross-validate: each fold begins with the first weights again, and with an optimizer of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(82)
FOLDS = 6
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
start = tree_map(mx.array, model.parameters())
x = mx.random.normal((240, 4))
y = mx.sin(x.sum(axis=1, keepdims=True))
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

for fold in range(FOLDS):
    model.update(start)
    optimizer = optim.AdamW(learning_rate=0.02)
    inside = mx.array([row for row in range(240) if row % FOLDS != fold])
    outside = mx.array([row for row in range(240) if row % FOLDS == fold])
    for step in range(15):
        loss, grads = loss_and_grad(x[inside], y[inside])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    held_out = nn.losses.mse_loss(model(x[outside]), y[outside])
    print(f"fold {fold}: {loss.item():.3f}, held out {held_out.item():.3f}")
