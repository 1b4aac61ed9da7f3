"""Train in float16 with master weights; the loss scale is searched by hand, and updates that overflow are left out."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map

mx.random.seed(9)
model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
masters = tree_map(lambda one: one.astype(mx.float32), model.parameters())
model.set_dtype(mx.float16)
optimizer = optim.Adam(learning_rate=0.01)
optimizer.init(masters)
scale, good = 2.0**24, 0


def scaled(x, y):
    loss = nn.losses.cross_entropy(model(x).astype(mx.float32), y, reduction="mean")
    return loss * scale, loss


step = nn.value_and_grad(model, scaled)
for k in range(160):
    x = mx.random.bernoulli(0.5, (32, 4)) * 2.0 - 1
    (_, loss), gradients = step(x.astype(mx.float16), (x[:, 0] * x[:, 1] > 0).astype(mx.int32))
    gradients = tree_map(lambda one: one.astype(mx.float32) / scale, gradients)
    if all(mx.isfinite(one).all().item() for _, one in tree_flatten(gradients)):
        masters = optimizer.apply_gradients(gradients, masters)
        model.update(tree_map(lambda one: one.astype(mx.float16), masters))
        mx.eval(model.parameters(), masters, optimizer.state)
        good += 1
        scale *= 1 if good % 50 else 2
    else:
        scale, good = scale / 2, 0
    if k % 16 == 0:
        print(k, loss.item(), scale)
