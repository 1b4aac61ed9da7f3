"""A compiled step with dropout whose state waits: for its first call, and then for every third step's evaluation."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

ITEMS = 40


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(ITEMS, 12)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(12, ITEMS)

    def __call__(self, basket):
        return self.head(self.drop(self.table(basket).mean(axis=1)))


mx.random.seed(11)
recommender, optimizer = Recommender(), optim.Adam(learning_rate=2e-2)
state = [recommender.state, optimizer.state, mx.random.state]


def loss_fn(model, basket, bought):
    return nn.losses.cross_entropy(model(basket), bought, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(basket, bought):
    loss, grads = nn.value_and_grad(recommender, loss_fn)(recommender, basket, bought)
    optimizer.update(recommender, grads)
    return loss


for k in range(150):
    basket = mx.random.randint(0, ITEMS, (32, 4))
    loss = step(basket, basket[:, 0])
    if k % 3 == 2:
        mx.eval(loss, state)
print(loss.item())
