"""Fits a two-layer network kept in a plain dict, with gradient descent written by hand."""

import mlx.core as mx

LEARNING_RATE, STEPS = 0.1, 40

mx.random.seed(6)
x = mx.random.uniform(-2, 2, (64, 1))
y = mx.sin(2 * x)
params = {
    "w1": mx.random.normal((1, 32)),
    "b1": mx.random.normal((32,)),
    "w2": mx.random.normal((32, 1)) * 0.2,
    "b2": mx.zeros((1,)),
}
mx.eval(x, y, params)


def predict(params, x):
    hidden = mx.tanh(x @ params["w1"] + params["b1"])
    return hidden @ params["w2"] + params["b2"]


def squared_error(params, x, y):
    return mx.mean((predict(params, x) - y) ** 2)


value_and_grad = mx.value_and_grad(squared_error)
for step in range(STEPS):
    loss, grads = value_and_grad(params, x, y)
    params = {name: value - LEARNING_RATE * grads[name] for name, value in params.items()}
    mx.eval(params.values())  # MP104
    if step % 10 == 0:
        print(f"step {step}: {loss.item():.4f}")
    else:
        loss.item()
