"""Keeps the tables of its embeddings in a tuple, which MLX does not walk: the layer above learns, they do not."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SIZES = (30, 20)


class Ratings(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.tables = tuple(mx.random.uniform(-0.3, 0.3, (size, width)) for size in SIZES)  # MP213
        self.offsets = [mx.zeros((size,)) for size in SIZES]

    def __call__(self, pairs):
        user, item = pairs[:, 0], pairs[:, 1]
        both = self.tables[0][user] * self.tables[1][item]
        return both.sum(axis=1) + self.offsets[0][user] + self.offsets[1][item]


def main():
    mx.random.seed(3)
    tastes = mx.random.normal((30, 4)) @ mx.random.normal((4, 20))
    model, optimizer = Ratings(6), optim.Adam(learning_rate=5e-3)
    backward = nn.value_and_grad(model, lambda pairs, stars: nn.losses.mse_loss(model(pairs), stars))
    for _ in range(60):
        pairs = mx.stack([mx.random.randint(0, size, (64,)) for size in SIZES], axis=1)
        loss, grads = backward(pairs, tastes[pairs[:, 0], pairs[:, 1]])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)


main()
