"""Batch normalisation with the momentum of another framework, in batches of eight rows."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def dense(into, out):
    return [nn.Linear(into, out), nn.BatchNorm(out, momentum=0.99), nn.ReLU()]  # MP228


mx.random.seed(10)
model = nn.Sequential(*dense(8, 24), *dense(24, 24), nn.Linear(24, 3))
optimizer = optim.Adam(learning_rate=2e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
rule = mx.random.normal((8, 3))
mx.eval(model.parameters())
for step in range(90):
    x = mx.random.normal((8, 8))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=1))
    optimizer.update(model, grads)
    mx.eval(model.state, optimizer.state)
    if step % 30 == 29:
        model.eval()
        x = mx.random.normal((200, 8))
        print(step, mx.mean(mx.argmax(model(x), axis=1) == mx.argmax(x @ rule, axis=1)).item())
        model.train()
