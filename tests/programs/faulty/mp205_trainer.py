"""Trains a matrix factorisation of ratings with a trainer that also keeps a copy for evaluation."""

import copy

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

USERS, ITEMS = 30, 20


class Factorisation(nn.Module):
    def __init__(self, rank=4):
        super().__init__()
        self.user_vectors = nn.Embedding(USERS, rank)
        self.item_vectors = nn.Embedding(ITEMS, rank)

    def __call__(self, user, item):
        return mx.sum(self.user_vectors(user) * self.item_vectors(item), axis=-1)


class RatingTrainer:
    def __init__(self, model, optimizer, callbacks):
        self.live = model
        self.model = copy.deepcopy(model)
        self.optimizer, self.callbacks = optimizer, callbacks
        self.loss_and_grad = nn.value_and_grad(self.live, self.loss)

    def loss(self, user, item, rating):
        return nn.losses.mse_loss(self.live(user, item), rating)

    def apply(self, grads):
        self.optimizer.update(self.model, grads)  # MP205
        mx.eval(self.live.parameters(), self.model.parameters(), self.optimizer.state)

    def fit(self, batches):
        for user, item, rating in batches:
            loss, grads = self.loss_and_grad(user, item, rating)
            self.apply(grads)
            for callback in self.callbacks:
                callback(loss.item())


def ratings(count, size=64):
    tastes, qualities = mx.random.normal((USERS, 3)), mx.random.normal((ITEMS, 3))
    for _ in range(count):
        user, item = mx.random.randint(0, USERS, (size,)), mx.random.randint(0, ITEMS, (size,))
        yield user, item, mx.sum(tastes[user] * qualities[item], axis=-1)


mx.random.seed(19)
batches = list(ratings(40))
mx.eval(batches)
losses = []
RatingTrainer(Factorisation(), optim.Adam(learning_rate=5e-2), [losses.append]).fit(batches)

# also: MP306
