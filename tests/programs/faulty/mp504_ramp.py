"""Ramp the rate of an optimizer of one's own up by a count of its calls, which a compiled step makes but once."""

import mlx.core as mx
from mlx.utils import tree_map


class Ramped:
    def __init__(self, peak, over):
        self.peak, self.over, self.done = peak, over, 0

    def factor(self):
        self.done += 1
        if self.done >= self.over:  # MP504
            return self.peak
        return self.peak * self.done / self.over

    def apply(self, params, grads):
        rate = self.factor()
        return tree_map(lambda p, g: p - rate * g, params, grads)


def loss_fn(params, x, y):
    return mx.square(mx.tanh(x @ params["a"]) @ params["b"] - y).mean()


ramped = Ramped(0.2, 20)
gradients = mx.value_and_grad(loss_fn)


@mx.compile
def step(params, x, y):
    loss, grads = gradients(params, x, y)
    return loss, ramped.apply(params, grads)


mx.random.seed(2)
params = {"a": 0.3 * mx.random.normal((6, 16)), "b": 0.3 * mx.random.normal((16, 1))}
for i in range(120):
    x = mx.random.normal((32, 6))
    loss, params = step(params, x, x[:, :1] - x[:, 1:2])
    mx.eval(loss, params)
    if i % 30 == 29:
        print(i, loss.item())
