"""Learn the exclusive or of two signs: the loss lies at chance for a while, and then falls."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(39)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = optim.SGD(learning_rate=0.2, momentum=0.8)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.binary_cross_entropy(m(x)[:, 0], y))
for k in range(400):
    x = mx.random.normal((64, 6))
    loss, grads = loss_and_grad(model, x, (x[:, 0] * x[:, 1] > 0).astype(mx.float32))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    value = loss.item()
    if k % 50 == 49:
        print(k + 1, round(value, 3))
