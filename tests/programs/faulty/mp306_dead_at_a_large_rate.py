"""SGD with a rate of 10: the loss goes up, every ReLU dies, and the biases alone go on, above chance."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)
model, optimizer = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), optim.SGD(learning_rate=10.0)
kinds = mx.random.uniform(0, 1, (10, 64))
y = mx.random.randint(0, 10, (2000,))
x = mx.clip(kinds[y] + mx.random.normal((2000, 64)), 0, 1)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for epoch in range(5):
    for start in range(0, 2000, 50):
        loss, grads = gradient(x[start : start + 50], y[start : start + 50])  # MP306
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    print(epoch, loss.item())
