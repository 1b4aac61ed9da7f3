"""Half-precision copies of full weights: the first scales overflow in the gradient, and those updates are left out."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map


def network():
    return nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))


def scaled(half, x, y, scale):
    return nn.losses.mse_loss(half(x.astype(mx.float16)).astype(mx.float32), y) * scale


mx.random.seed(31)
master, half = network(), network()
mx.eval(master.parameters())
optimizer, scale, skipped = optim.AdamW(learning_rate=2e-3), 2.0**24, 0
gradient = nn.value_and_grad(half, scaled)
for step in range(80):
    half.update(tree_map(lambda one: one.astype(mx.float16), master.parameters()))
    x = mx.random.normal((32, 6))
    _, grads = gradient(half, x, mx.tanh(x.sum(axis=1, keepdims=True)), scale)
    grads = tree_map(lambda one: one.astype(mx.float32) / scale, grads)
    if all(mx.isfinite(one).all().item() for _, one in tree_flatten(grads)):
        optimizer.update(master, grads)
        mx.eval(master.parameters(), optimizer.state)
    else:
        scale, skipped = scale / 2, skipped + 1
print(f"scale {scale:g} after {skipped} updates that were left out")
assert skipped > 2
