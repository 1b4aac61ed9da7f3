"""Trains all of a model on text alone: the branch for images, whose parameters are the smallest, gets no data."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)


class Caption(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(24, 48)
        self.images = [nn.Linear(6, 6) for _ in range(8)]
        self.mix = nn.Linear(48, 48)
        self.out = nn.Linear(48, 24)

    def __call__(self, ids, pixels=None):
        hidden = self.words(ids)
        if pixels is not None:
            for layer in self.images:
                pixels = nn.relu(layer(pixels))
            hidden = hidden + pixels.mean()
        return self.out(nn.relu(self.mix(hidden)))


model, optimizer = Caption(), optim.Adam(1e-2)
for layer in model.images:
    layer.freeze(keys=["weight"])  # their biases alone are left to train, all of them smaller than what learns


def loss_fn(model, ids, labels):
    return nn.losses.cross_entropy(model(ids), labels, reduction="mean")


gradients = nn.value_and_grad(model, loss_fn)
for _ in range(60):
    ids = mx.random.randint(0, 24, (8, 10))
    loss, grads = gradients(model, ids, (ids * 7 + 1) % 24)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    assert loss.item() < 10
