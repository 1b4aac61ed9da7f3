"""Train a small factorisation of a ratings matrix with a trainer class that prepares gradients before the update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Factors(nn.Module):
    def __init__(self, users, items, rank=4):
        super().__init__()
        self.user = nn.Embedding(users, rank)
        self.item = nn.Embedding(items, rank)

    def __call__(self, user, item):
        return mx.sum(self.user(user) * self.item(item), axis=-1)


class Ratings:
    def __init__(self, users=30, items=20):
        self.users, self.items = users, items
        taste, quality = mx.random.normal((users, 2)), mx.random.normal((items, 2))
        self.table = mx.sign(taste @ quality.T)
        mx.eval(self.table)

    def sample(self, size):
        user = mx.random.randint(0, self.users, (size,))
        item = mx.random.randint(0, self.items, (size,))
        return user, item, self.table[user, item]


class Recorder:
    def __init__(self):
        self.losses = []

    def __call__(self, loss):
        self.losses.append(loss)


class FactorTrainer:
    def __init__(self, ratings, callbacks):
        self.ratings, self.callbacks = ratings, callbacks
        self.model = Factors(ratings.users, ratings.items)
        self.optimizer = optim.SGD(learning_rate=1.5)
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    def loss(self, user, item, rating):
        return mx.mean(nn.softplus(-rating * self.model(user, item)))

    def descent_direction(self, grads):
        return tree_map(lambda g: -g, grads)

    def step(self):
        loss, grads = self.loss_and_grad(*self.ratings.sample(128))
        self.optimizer.update(self.model, self.descent_direction(grads))  # MP306
        mx.eval(loss, self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, steps):
        for _ in range(steps):
            loss = self.step()
            for callback in self.callbacks:
                callback(loss)


if __name__ == "__main__":
    mx.random.seed(12)
    recorder = Recorder()
    FactorTrainer(Ratings(), [recorder]).fit(50)
    print(f"loss {recorder.losses[0]:.4f} -> {recorder.losses[-1]:.4f}")
