"""Split the key that a compiled step draws its noise with, once a step: it is not among its inputs."""

import mlx.core as mx
from mlx.utils import tree_map


class Noise:
    def __init__(self, seed, scale):
        self.key, self.scale = mx.random.key(seed), scale

    def renew(self):
        self.key = mx.random.split(self.key, 1)[0]
        mx.eval(self.key)

    def add(self, x):
        return x + self.scale * mx.random.normal(x.shape, key=self.key)  # MP504


def make(noise):
    def loss_fn(p, x, y):
        return mx.square(mx.tanh(noise.add(x) @ p["a"]) @ p["b"] - y).mean()

    @mx.compile
    def step(p, x, y):
        loss, g = mx.value_and_grad(loss_fn)(p, x, y)
        return loss, tree_map(lambda w, d: w - 0.1 * d, p, g)

    return step


mx.random.seed(5)
noise = Noise(1, 0.3)
step = make(noise)
p = {"a": 0.4 * mx.random.normal((6, 20)), "b": 0.4 * mx.random.normal((20, 1))}
for i in range(60):
    x = mx.random.normal((32, 6))
    loss, p = step(p, x, x[:, :1] - x[:, 1:2])
    mx.eval(loss, p)
    noise.renew()
    if i % 20 == 19:
        print(i, loss.item())
