"""Descend by the signs of the gradients alone, as signSGD does."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(75)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = optim.SGD(learning_rate=0.005)
x = mx.random.normal((300, 6))
y = (x[:, 0] > 0).astype(mx.int32)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))

for step in range(40):
    loss, grads = loss_and_grad(x, y)
    optimizer.update(model, tree_map(mx.sign, grads))
    mx.eval(model.parameters(), optimizer.state, loss)
    print(step, loss.item())
