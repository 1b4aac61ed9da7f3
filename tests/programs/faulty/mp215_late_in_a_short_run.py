"""The first validation comes after 65 steps, of 130 in all, and `model.train()` does not follow it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(80)
model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 4))
optimizer = optim.Adam(learning_rate=3e-3)
true = mx.random.normal((16, 4))


def loss_fn(x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


gradient = nn.value_and_grad(model, loss_fn)
for epoch in range(2):
    for _ in range(65):
        x = mx.random.normal((32, 16))
        loss, grads = gradient(x, mx.argmax(x @ true, axis=1))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    model.eval()  # MP215
    x = mx.random.normal((64, 16))
    print(epoch, loss.item(), loss_fn(x, mx.argmax(x @ true, axis=1)).item())
