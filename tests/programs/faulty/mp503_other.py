"""Sample latent noise in a generator whose forward pass alone is compiled, with its weights as inputs."""

import mlx.core as mx
import mlx.nn as nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(4, 32)
        self.out = nn.Linear(32, 2)

    def __call__(self, noise):
        return self.out(nn.relu(self.up(noise)))


def sampler(generator, count):
    def draw():
        return generator(mx.random.normal((count, 4)))

    return mx.compile(draw, inputs=[generator.state])  # MP503


mx.random.seed(1)
generator = Generator()
sample = sampler(generator, 5)
points = [sample() for _ in range(6)]
mx.eval(points)
print(mx.stack(points).std(axis=0).max().item())
