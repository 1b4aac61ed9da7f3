"""Sum the gradients of sixteen calls, read each loss, and evaluate the sum with its update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(18)
rule = mx.random.normal((10, 1))
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
optimizer = optim.SGD(learning_rate=0.1)
for update in range(30):
    total, losses = None, 0.0
    for _ in range(16):
        x = mx.random.normal((16, 10))
        loss, grads = gradient(x, x @ rule)
        total = grads if total is None else tree_map(mx.add, total, grads)
        losses += loss.item()
    optimizer.update(net, tree_map(lambda one: one / 16, total))
    mx.eval(net.parameters(), optimizer.state)
    if update % 10 == 0:
        print(update, losses / 16)
