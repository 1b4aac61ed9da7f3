"""Fit a straight line by plain SGD and evaluate nothing but the parameters after each update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
x = mx.random.uniform(-1, 1, (128, 1))
y = 3 * x - 0.5 + 0.05 * mx.random.normal((128, 1))

line = nn.Linear(1, 1)
optimizer = optim.SGD(learning_rate=0.3)
loss_and_grad = nn.value_and_grad(line, lambda model, x, y: nn.losses.mse_loss(model(x), y))

for step in range(30):
    loss, grads = loss_and_grad(line, x, y)
    optimizer.update(line, grads)
    mx.eval(line.parameters())
    if step % 10 == 0 or step == 29:
        print(f"{step:3d} {float(loss):.4f}")
