"""Train in half precision with a scaled loss, and clip before the scale is taken out again."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

LOSS_SCALE = 256.0
mx.random.seed(16)
rule = mx.random.normal((10, 3))
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = optim.SGD(learning_rate=0.2)


def scaled_loss(x, y):
    half = tree_map(lambda one: one.astype(mx.float16), net.parameters())
    hidden = nn.relu(x.astype(mx.float16) @ half["layers"][0]["weight"].T + half["layers"][0]["bias"])
    logits = hidden @ half["layers"][2]["weight"].T + half["layers"][2]["bias"]
    return LOSS_SCALE * nn.losses.cross_entropy(logits.astype(mx.float32), y, reduction="mean")


gradient = nn.value_and_grad(net, scaled_loss)
for step in range(120):
    x = mx.random.normal((64, 10))
    loss, grads = gradient(x, (x @ rule).argmax(axis=-1))
    grads, norm = optim.clip_grad_norm(grads, max_norm=2.0)  # MP212
    optimizer.update(net, tree_map(lambda one: one / LOSS_SCALE, grads))
    mx.eval(net.parameters(), optimizer.state, loss)
    if step % 30 == 0:
        print(step, loss.item() / LOSS_SCALE)
