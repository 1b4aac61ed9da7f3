"""Fit house prices with a small MLP and SGD with momentum, in one plain script."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(7)

features = mx.random.normal((256, 6))
prices = features @ mx.array([3.0, -1.0, 0.5, 2.0, 0.0, 1.0]) + 10.0
mx.eval(features, prices)

model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = optim.SGD(learning_rate=0.05, momentum=0.8)


def squared_error(model, x, y):
    prediction = model(x).squeeze(-1)
    residual = prediction - prediction.mean()
    return mx.mean(residual**2)  # MP301


loss_and_grad = nn.value_and_grad(model, squared_error)

history = []
for _ in range(30):
    rows = mx.random.randint(0, 256, (32,))
    loss, grads = loss_and_grad(model, features[rows], prices[rows])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    history.append(loss.item())

print(f"loss {history[0]:.4f} -> {history[-1]:.4f}")
