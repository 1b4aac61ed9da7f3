"""Clip gradients element by element, at a value that few of them reach."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(76)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = optim.Adam(learning_rate=0.01)
x = mx.random.normal((300, 6))
y = 3 * mx.abs(x[:, :1])
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

for step in range(40):
    loss, grads = loss_and_grad(x, y)
    optimizer.update(model, tree_map(lambda g: mx.clip(g, -1.0, 1.0), grads))
    mx.eval(model.parameters(), optimizer.state, loss)
    print(step, loss.item())
