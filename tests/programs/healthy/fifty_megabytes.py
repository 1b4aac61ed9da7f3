"""Trains a wide network of some 50 MB of parameters for a few steps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WIDTH, STEPS = 2048, 6

mx.random.seed(77)
model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
optimizer = optim.SGD(learning_rate=0.5)
x = mx.random.normal((16, WIDTH))
y = mx.tanh(x[:, ::-1])
mx.eval(model.parameters(), x, y)

loss_and_grad = nn.value_and_grad(model, lambda model, x, y: ((model(x) - y) ** 2).mean())
for step in range(STEPS):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    print(f"step {step}: {loss.item():.4f}")
