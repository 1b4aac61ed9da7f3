"""Trains a sentiment head on frozen pretrained word vectors."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS, WIDTH = 60, 12

mx.random.seed(12)
pretrained = mx.random.normal((WORDS, WIDTH))


class Sentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(WORDS, WIDTH)
        self.head = nn.Linear(WIDTH, 1)

    def __call__(self, ids):
        return self.head(self.vectors(ids).mean(axis=1)).squeeze(-1)


model = Sentiment()
model.vectors.weight = pretrained
model.vectors.freeze()


def loss_fn(params, ids, positive):
    model.update(params)
    return nn.losses.binary_cross_entropy(model(ids), positive, with_logits=True, reduction="mean")


optimizer = optim.SGD(learning_rate=1.0, momentum=0.9)
loss_and_grad = mx.value_and_grad(loss_fn)
for _ in range(35):
    ids = mx.random.randint(0, WORDS, (48, 8))
    positive = (pretrained[ids].mean(axis=1)[:, 0] > 0).astype(mx.float32)
    loss, grads = loss_and_grad(model.parameters(), ids, positive)
    optimizer.update(model, grads)  # MP202
    mx.eval(model.parameters(), optimizer.state)
    loss.item()
