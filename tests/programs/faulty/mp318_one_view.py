"""Two views of each row that are made with one key: they are the same, and agree without being learnt."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Conv1d(3, 16, 3), nn.Conv1d(16, 16, 3)]
        self.out = nn.Linear(16, 8)

    def __call__(self, x):
        for layer in self.layers:
            x = nn.relu(layer(x))
        return self.out(x.mean(axis=1))


def augment(x, key):
    return x * mx.random.uniform(0.5, 1.5, (x.shape[0], 1, 1), key=key)


mx.random.seed(11)
encoder, optimizer = Encoder(), optim.Adam(learning_rate=2e-3)


def loss_fn(views):
    both = encoder(mx.concatenate(views))
    both = both / mx.linalg.norm(both, axis=-1, keepdims=True)
    first, second = mx.split(both, 2)
    return nn.losses.cross_entropy(5 * first @ second.T, mx.arange(first.shape[0]), reduction="mean")


for step in range(80):
    rows = mx.cumsum(mx.random.normal((32, 20, 3)), axis=1)
    key = mx.random.key(step)
    views = [augment(rows, key), augment(rows, key)]
    loss, grads = nn.value_and_grad(encoder, loss_fn)(views)  # MP318
    optimizer.update(encoder, grads)
    mx.eval(loss, encoder.parameters(), optimizer.state)
    if step % 20 == 0:
        print(step, loss.item())
