"""Learn without targets and stay apart: by negatives, by variance and covariance, and outputs about a large mean."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(45)
centres = 2 * mx.random.normal((10, 20))


class Embedder(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.body = [nn.Linear(20, 64), nn.Linear(64, 64), nn.Linear(64, width)]

    def __call__(self, x):
        for layer in self.body[:-1]:
            x = nn.gelu(layer(x))
        return self.body[-1](x)


def unit(a):
    return a / mx.maximum(mx.linalg.norm(a, axis=-1, keepdims=True), 1e-6)


def contrast(model, first, second):
    logits = unit(model(first)) @ unit(model(second)).T / 0.2
    return nn.losses.cross_entropy(logits, mx.arange(first.shape[0]), reduction="mean")


def spread(model, first, second):
    a, b = model(first), model(second)
    loss = mx.mean(mx.square(a - b))
    for one in (a, b):
        centred = one - one.mean(axis=0)
        between = centred.T @ centred / (one.shape[0] - 1)
        own = mx.diag(between)
        loss = loss + nn.relu(1 - mx.sqrt(own + 1e-4)).mean() + (mx.square(between).sum() - mx.square(own).sum()) / 24
    return loss


def far_off(model, first, y):
    return mx.mean(mx.square(model(first) - y))


for name, loss_fn in {"contrast": contrast, "spread": spread, "far off": far_off}.items():
    model = Embedder(12 if name == "far off" else 24)
    optimizer = optim.Adam(learning_rate=5e-3)
    step = nn.value_and_grad(model, loss_fn)
    for _ in range(280):
        rows = centres[mx.random.randint(0, 10, (48,))]
        first, second = (rows + 0.3 * mx.random.normal(rows.shape) for _ in range(2))
        loss, grads = step(model, first, 10 + 0.2 * first[:, :12] if name == "far off" else second)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(name, round(loss.item(), 3))
