"""Train with a step-decay schedule and log the learning rate that the optimizer really used."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(34)
ratings = mx.random.normal((20, 3)) @ mx.random.normal((3, 15))


class Factors(nn.Module):
    def __init__(self, rank=3):
        super().__init__()
        self.users = nn.Embedding(20, rank)
        self.films = nn.Embedding(15, rank)

    def __call__(self, user, item):
        return mx.sum(self.users(user) * self.films(item), axis=-1)


model = Factors()
optimizer = optim.Adam(learning_rate=optim.step_decay(0.3, 0.5, 15))
loss_and_grad = nn.value_and_grad(model, lambda m, u, i, r: nn.losses.mse_loss(m(u, i), r))

log = []
for _ in range(45):
    user, item = mx.random.randint(0, 20, (128,)), mx.random.randint(0, 15, (128,))
    loss, grads = loss_and_grad(model, user, item, ratings[user, item])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    log.append((loss.item(), optimizer.learning_rate.item()))
for loss, rate in log[::11]:
    print(f"{loss:.4f} at {rate:.3f}")
