"""Drop out by all shares that are usual, none and three in five among them, and all in evaluation mode alone."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(53)
judge = mx.random.normal((10, 4))
for share in (0.0, 0.1, 0.5, 0.6, 0.7):
    model = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Dropout(share), nn.Linear(48, 4))
    optimizer = optim.Adam(learning_rate=3e-3)
    step = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
    for _ in range(40):
        x = mx.random.normal((32, 10))
        loss, grads = step(model, x, mx.argmax(x @ judge, axis=1))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    model.eval()
    x = mx.random.normal((200, 10))
    print(share, (model(x).argmax(axis=1) == mx.argmax(x @ judge, axis=1)).mean().item())
