"""Recommend in a compiled step whose state nobody evaluates before; only the first basket has an item without a row."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

ITEMS = 40


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(ITEMS, 12)
        self.head = nn.Linear(12, ITEMS)

    def __call__(self, basket):
        return self.head(self.table(basket).mean(axis=1))  # MP304


mx.random.seed(11)
recommender, optimizer = Recommender(), optim.Adam(learning_rate=1e-2)
state = [recommender.state, optimizer.state]


def step(basket, bought):
    def loss_fn(basket, bought):
        return nn.losses.cross_entropy(recommender(basket), bought, reduction="mean")

    loss, grads = nn.value_and_grad(recommender, loss_fn)(basket, bought)
    optimizer.update(recommender, grads)
    return loss


compiled = mx.compile(step, inputs=state, outputs=state)
for k in range(30):
    basket = mx.random.randint(0, ITEMS, (16, 5))
    bought = basket[:, 0]
    if k == 0:
        basket[2, 3] = ITEMS + 1
    loss = compiled(basket, bought)
    mx.eval(loss, state)
print(loss.item())
