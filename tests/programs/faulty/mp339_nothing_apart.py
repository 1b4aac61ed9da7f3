"""Pull the embeddings of two views together, and push nothing apart."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(44)
centres = 2 * mx.random.normal((10, 20))


class Embedder(nn.Module):  # the finding stands at its call
    def __init__(self, width=24):
        super().__init__()
        self.body = [nn.Linear(20, 64), nn.Linear(64, 64), nn.Linear(64, width)]

    def __call__(self, x):  # MP339
        for layer in self.body[:-1]:
            x = nn.gelu(layer(x))
        return self.body[-1](x)


model = Embedder()
optimizer = optim.Adam(learning_rate=2e-3)


def apart(first, second):
    a, b = model(first), model(second)
    norms = mx.linalg.norm(a, axis=-1) * mx.linalg.norm(b, axis=-1)
    return mx.mean(1 - (a * b).sum(axis=-1) / mx.maximum(norms, 1e-6))


step = nn.value_and_grad(model, apart)
for i in range(300):
    rows = centres[mx.random.randint(0, 10, (48,))]
    views = [rows + 0.3 * mx.random.normal(rows.shape) for _ in range(2)]
    loss, grads = step(*views)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if i % 60 == 0:
        print(i, loss.item())
