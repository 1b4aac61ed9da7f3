"""Differentiate through a compiled helper, which MLX then runs without its compilation, as it does nn.gelu."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(67)
x = mx.random.normal((100, 6))
y = x @ mx.random.normal((6, 1)) + 0.05 * mx.random.normal((100, 1))
model = nn.Linear(6, 1)
optimizer = optim.SGD(learning_rate=0.1, momentum=0.5)


@mx.compile
def mean_square(prediction, target):
    error = (prediction - target).flatten()
    return mx.inner(error, error) / error.size


def loss_fn(model, x, y):
    return mean_square(model(x), y)


loss_and_grad = nn.value_and_grad(model, loss_fn)
history = []
for _ in range(10):
    for start in range(0, 100, 32):
        loss, grads = loss_and_grad(model, x[start : start + 32], y[start : start + 32])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        history.append(loss.item())
print(f"loss {history[0]:.3f} -> {history[-1]:.3f}")
