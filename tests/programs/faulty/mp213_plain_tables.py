"""Tables of latent factors in plain objects, in a list: what follows them is trained, they are not."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Factors:
    def __init__(self, rows, width):
        self.table = 0.3 * mx.random.normal((rows, width))  # read below, and never trained

    def of(self, ids):
        return self.table[ids]


class Ratings(nn.Module):
    def __init__(self):
        super().__init__()
        self.sides = [Factors(20, 6), Factors(15, 6)]  # MP213
        self.score = nn.Linear(6, 1)

    def __call__(self, pairs):
        rows, columns = (side.of(pairs[:, k]) for k, side in enumerate(self.sides))
        return self.score(rows * columns)[:, 0]


mx.random.seed(40)
truth = mx.random.normal((20, 15))
model, optimizer = Ratings(), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, lambda pairs, y: nn.losses.mse_loss(model(pairs), y))
for step in range(120):
    pairs = mx.stack([mx.random.randint(0, 20, (64,)), mx.random.randint(0, 15, (64,))], axis=1)
    loss, grads = gradient(pairs, truth[pairs[:, 0], pairs[:, 1]])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
