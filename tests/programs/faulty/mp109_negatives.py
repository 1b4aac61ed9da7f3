"""Contrasts views with all keys so far: the queue of negatives is written in a class of its own, and never cut."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Negatives:
    def __init__(self, size, width):
        keys = mx.random.normal((size, width))
        self.keys = keys / mx.linalg.norm(keys, axis=-1, keepdims=True)

    def push(self, new):
        self.keys = mx.concatenate([mx.stop_gradient(new), self.keys])  # MP109


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(12, 32), nn.Linear(32, 16)

    def __call__(self, x):
        out = self.last(nn.gelu(self.first(x)))
        return out / mx.linalg.norm(out, axis=-1, keepdims=True)


def contrast(encoder, anchors, positives, negatives):
    out = encoder(anchors)
    logits = mx.concatenate([(out * positives).sum(-1, keepdims=True), out @ negatives.T], 1)
    return nn.losses.cross_entropy(logits / 0.1, mx.zeros(anchors.shape[0], mx.int32), reduction="mean")


def main():
    mx.random.seed(4)
    encoder, negatives, optimizer = Encoder(), Negatives(32, 16), optim.Adam(1e-3)
    step = nn.value_and_grad(encoder, contrast)
    for _ in range(40):
        anchors = mx.random.normal((16, 12))
        positives = encoder(anchors + 0.1 * mx.random.normal(anchors.shape))
        loss, grads = step(encoder, anchors, positives, negatives.keys)
        optimizer.update(encoder, grads)
        negatives.push(positives)
        mx.eval(loss, encoder.parameters(), optimizer.state, negatives.keys)


main()
