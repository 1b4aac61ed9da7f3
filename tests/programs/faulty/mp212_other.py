"""Fit a linear model without any module; a guard against large gradients flattens all of them."""

import mlx.core as mx
import mlx.optimizers as optim

mx.random.seed(74)
true = mx.random.normal((12, 3))
x = mx.random.normal((200, 12))
y = 5 * x @ true
params = {"w": mx.zeros((12, 3)), "b": mx.zeros((3,))}
optimizer = optim.Adam(learning_rate=0.05)


def loss_fn(params, x, y):
    return mx.mean((x @ params["w"] + params["b"] - y) ** 2)


def guarded(grads):
    return {name: mx.minimum(mx.maximum(grad, -0.05), 0.05) for name, grad in grads.items()}  # MP212


for epoch in range(30):
    loss, grads = mx.value_and_grad(loss_fn)(params, x, y)
    params = optimizer.apply_gradients(guarded(grads), params)
    mx.eval(params, optimizer.state, loss)
    print(epoch, loss.item())
