"""Contrast two views against a queue of keys: it begins with noise, and the loss rises while real keys fill it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SIZE, WIDTH = 512, 32


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(12, 48)
        self.second = nn.Linear(48, WIDTH)

    def __call__(self, x):
        z = self.second(nn.relu(self.first(x)))
        return z / mx.linalg.norm(z, axis=-1, keepdims=True)


def loss_fn(model, view, keys, negatives):
    z = model(view)
    scores = mx.concatenate([(z * keys).sum(-1, keepdims=True), z @ negatives.T], axis=1) / 0.1
    return nn.losses.cross_entropy(scores, mx.zeros(len(view), dtype=mx.int32), reduction="mean")


mx.random.seed(101)
model, teacher = Encoder(), Encoder()
teacher.update(model.parameters())
mixing = mx.random.normal((8, 12))
queue = mx.random.normal((SIZE, WIDTH))
queue = queue / mx.linalg.norm(queue, axis=-1, keepdims=True)
optimizer = optim.Adam(learning_rate=1e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(60):
    hidden = mx.random.normal((32, 8)) @ mixing
    first, second = (hidden + 0.02 * mx.random.normal(hidden.shape) for _ in range(2))
    keys = teacher(second)
    loss, grads = loss_and_grad(model, first, keys, queue)
    optimizer.update(model, grads)
    queue = mx.concatenate([mx.stop_gradient(keys), queue])[:SIZE]
    mx.eval(loss, model.parameters(), optimizer.state, queue)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
