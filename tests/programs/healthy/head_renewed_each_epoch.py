"""Train on clusters that are found anew each epoch, with a new head and a new optimizer for them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
centres = mx.random.normal((5, 16))
inputs = centres[mx.random.randint(0, 5, (300,))] + 0.5 * mx.random.normal((300, 16))


def clusters(features):
    means = features[mx.random.permutation(300)[:5]]
    for _ in range(5):
        nearest = ((features[:, None] - means[None]) ** 2).sum(axis=-1).argmin(axis=1)
        ones = (nearest[:, None] == mx.arange(5)[None]).astype(mx.float32)
        means = (ones.T @ features) / mx.maximum(ones.sum(axis=0)[:, None], 1)
        mx.eval(means)
    return nearest


class Clustering(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(16, 32), nn.Linear(32, 5)

    def __call__(self, x):
        return self.head(nn.relu(self.body(x)))


def loss(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


model = Clustering()
for _ in range(8):
    labels = clusters(model.body(inputs))
    model.head = nn.Linear(32, 5)
    optimizer = optim.Adam(2e-3)
    for _ in range(12):
        rows = mx.random.permutation(300)[:60]
        value, gradients = nn.value_and_grad(model, loss)(model, inputs[rows], labels[rows])
        optimizer.update(model, gradients)
        mx.eval(value, model.parameters(), optimizer.state)
        print(value.item())
