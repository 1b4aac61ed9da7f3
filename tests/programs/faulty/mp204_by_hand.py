"""Fit a density by plain descent on a tree of arrays; what an epoch leaves over of its windows is thrown away."""

import mlx.core as mx
from mlx.utils import tree_map

WINDOW, RATE = 3, 0.05

mx.random.seed(26)
centres = mx.array([[2.0, 0.0], [-1.0, 1.5], [-1.0, -1.5]])
points = centres[mx.random.randint(0, 3, (160,))] + 0.3 * mx.random.normal((160, 2))
batches = [points[start : start + 20] for start in range(0, 160, 20)]


def negative_likelihood(mixture, batch):
    square = mx.square(batch[:, None] - mixture["means"]).sum(axis=-1)
    return -mx.logsumexp(mixture["weights"] - square / 2, axis=1).mean() + mx.logsumexp(mixture["weights"])


def epoch(mixture):
    total, count = None, 0
    for batch in batches:
        value, slopes = descend(mixture, batch)
        total = slopes if total is None else tree_map(mx.add, total, slopes)
        count += 1
        mx.eval(total, value)
        if count == WINDOW:  # MP204
            mixture = tree_map(lambda one, slope: one - RATE * slope / WINDOW, mixture, total)
            mx.eval(mixture)
            total, count = None, 0
    return mixture, value.item()


descend = mx.value_and_grad(negative_likelihood)
mixture = {"means": mx.random.normal((3, 2)), "weights": mx.zeros((3,))}
for number in range(8):
    mixture, value = epoch(mixture)
    print(number, round(value, 3))
