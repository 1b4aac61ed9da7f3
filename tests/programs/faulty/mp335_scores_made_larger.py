"""An attention whose scale is the root of the features, where it is to be one divided by that."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SLOTS, WIDTH = 6, 16


class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.names, self.contents = nn.Embedding(10, WIDTH), nn.Embedding(10, WIDTH)
        self.scale = math.sqrt(WIDTH)
        self.out = nn.Linear(WIDTH, 10)

    def __call__(self, names, contents, asked):
        query, keys, values = self.names(asked[:, None]), self.names(names), self.contents(contents)
        given = [one[:, None] for one in (query, keys, values)]
        found = mx.fast.scaled_dot_product_attention(*given, scale=self.scale)  # MP335
        return self.out(found[:, 0, 0])


def loss_fn(model, names, contents, asked, answers):
    return nn.losses.cross_entropy(model(names, contents, asked), answers, reduction="mean")


mx.random.seed(3)
model, optimizer = Lookup(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, loss_fn)
for _ in range(60):
    names = mx.argsort(mx.random.uniform(shape=(32, 10)), axis=1)[:, :SLOTS]
    contents, place = mx.random.randint(0, 10, (32, SLOTS)), mx.random.randint(0, SLOTS, (32, 1))
    asked, answers = (mx.take_along_axis(one, place, axis=1)[:, 0] for one in (names, contents))
    loss, grads = gradient(model, names, contents, asked, answers)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
