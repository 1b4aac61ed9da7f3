"""Fit a logistic regression with mx.grad alone and look at the loss only every fifth step."""

import mlx.core as mx

mx.random.seed(63)
x = mx.random.normal((300, 5))
y = (x @ mx.array([1.0, -2.0, 0.0, 0.5, 1.0]) > 0.3).astype(mx.float32)


def loss_fn(weights, bias):
    logits = x @ weights + bias
    return mx.mean(mx.logaddexp(0.0, logits) - y * logits)


gradient = mx.grad(loss_fn, argnums=(0, 1))
weights, bias = mx.zeros((5,)), mx.array(0.0)
for step in range(41):
    if step % 5 == 0:
        print(f"{step:2d} {loss_fn(weights, bias).item():.4f}")
    weight_gradient, bias_gradient = gradient(weights, bias)
    weights = weights - 2.0 * weight_gradient
    bias = bias - 2.0 * bias_gradient
    mx.eval(weights, bias)
