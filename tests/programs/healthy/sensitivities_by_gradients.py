"""Choose which layers may be rounded by gradients that are summed over batches: nothing is trained, no loss is read."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_map

mx.random.seed(8)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
rounded = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
rounded.update(tree_map(lambda one: mx.round(one * 16) / 16, model.parameters()))


def loss_fn(x, targets):
    return nn.losses.kl_div_loss(nn.log_softmax(rounded(x)), targets, reduction="mean")


summed = tree_map(mx.zeros_like, rounded.trainable_parameters())
for _ in range(20):
    x = mx.random.normal((16, 8))
    targets = nn.log_softmax(model(x))
    mx.eval(targets)
    _, grads = nn.value_and_grad(rounded, loss_fn)(x, targets)
    summed = tree_map(mx.add, summed, grads)
    mx.eval(summed)

apart = tree_map(lambda g, a, b: mx.sum(g * (a - b)).item(), summed, rounded.parameters(), model.parameters())
for name, value in tree_flatten(apart):
    print(name, value)
