"""Tell pairs that belong together from pairs that do not, with answers drawn anew beside them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Match(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(6, 3), nn.Linear(6, 3)
        self.shift = mx.zeros((1,))

    def __call__(self, pairs):
        return (self.left(pairs[:, 0]) * self.right(pairs[:, 1])).sum(axis=-1) + self.shift


def batches(count, size=128):
    for _ in range(count):
        one, other = mx.random.normal((2, size, 6))
        alike = mx.random.uniform(shape=(size,)) < 0.5
        pairs = mx.stack([one, mx.where(alike[:, None], one, other)], axis=1)
        yield pairs, mx.random.permutation(alike).astype(mx.float32)


def fit(model, optimizer):
    surprise = nn.value_and_grad(
        model, lambda pairs, alike: nn.losses.binary_cross_entropy(model(pairs), alike, reduction="mean")
    )
    for pairs, alike in batches(260):
        loss, grads = surprise(pairs, alike)  # MP306
        optimizer.update(model, grads)
        mx.eval(model, optimizer.state, loss)
        yield loss.item()


mx.random.seed(38)
print([round(one, 3) for one in list(fit(Match(), optim.SGD(learning_rate=0.2)))[::40]])
