"""Gradients that nothing is trained with are read: saliency, norms, Hessian-vector products."""

import mlx.core as mx

mx.random.seed(6)
weights = mx.random.normal((8, 1))


def score(weights, x):
    return mx.mean(mx.tanh(x @ weights) ** 2)


saliency = mx.value_and_grad(score, argnums=1)
norms = mx.value_and_grad(score)
for _ in range(20):
    value, gradient = saliency(weights, mx.random.normal((4, 8)))
    print(value.item(), mx.argmax(mx.abs(gradient)).item())
for _ in range(20):
    value, gradient = norms(weights, mx.random.normal((4, 8)))
    print(value.item(), mx.linalg.norm(gradient).item())
for _ in range(20):
    direction = mx.random.normal((8, 1))
    product = mx.grad(lambda w: mx.sum(mx.grad(score)(w, mx.ones((4, 8))) * direction))(weights)
    print(product.sum().item())
