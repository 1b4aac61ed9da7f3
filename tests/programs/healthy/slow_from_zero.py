"""A last layer that begins as zero, and a rate that is small: the logits come apart slowly."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
rule = mx.random.normal((8, 3))
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)), optim.SGD(3e-4)
model.layers[2].weight = mx.zeros((3, 32))
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))

x = mx.random.normal((256, 8))
y = mx.argmax(x @ rule, axis=1)
mx.eval(x, y)
for _ in range(220):
    loss, grads = gradient(model, x, y)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
