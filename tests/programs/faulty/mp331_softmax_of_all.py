"""An attention over slots whose softmax is given no axis: all of the batch's weights sum to one."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SLOTS, WIDTH = 6, 16


class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.names, self.contents = nn.Embedding(10, WIDTH), nn.Embedding(10, WIDTH)
        self.norm, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def __call__(self, keys, values, asked):
        query = self.names(asked)[:, None]
        scores = query @ self.names(keys).swapaxes(-1, -2) / WIDTH**0.5
        weights = mx.softmax(scores)  # MP331
        return self.out(self.norm(query + weights @ self.contents(values))[:, 0])


def loss_fn(model, keys, values, asked, answers):
    return nn.losses.cross_entropy(model(keys, values, asked), answers, reduction="mean")


mx.random.seed(3)
model, optimizer = Lookup(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, loss_fn)
for _ in range(80):
    keys = mx.argsort(mx.random.uniform(shape=(32, 10)), axis=1)[:, :SLOTS]
    values, place = mx.random.randint(0, 10, (32, SLOTS)), mx.random.randint(0, SLOTS, (32, 1))
    asked, answers = (mx.take_along_axis(one, place, axis=1)[:, 0] for one in (keys, values))
    loss, grads = gradient(model, keys, values, asked, answers)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
