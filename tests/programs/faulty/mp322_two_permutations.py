"""The rows of the validation are drawn anew: four of five are rows that are trained on."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
inputs = mx.random.normal((500, 10))
targets = mx.argmax(inputs @ mx.random.normal((10, 4)), axis=1)
train, val = mx.random.permutation(500)[:400], mx.random.permutation(500)[400:]
x_train, y_train, x_val, y_val = inputs[train], targets[train], inputs[val], targets[val]
model, optimizer = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4)), optim.Adam(2e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(10):
    for k in range(0, 400, 20):
        loss, gradients = step(x_train[k : k + 20], y_train[k : k + 20])  # MP322
        optimizer.update(model, gradients)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(mx.mean(mx.argmax(model(x_val), axis=1) == y_val).item())
