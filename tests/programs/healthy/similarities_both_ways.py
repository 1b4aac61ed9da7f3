"""Similarity that is made larger, in two ways; and made smaller for pairs that do not belong together."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

similarity = nn.losses.cosine_similarity_loss


def one_less(model, x, y):
    return 1 - similarity(model(x), y, reduction="mean")


def negated(model, x, y):
    return -similarity(model(x), y, reduction="mean")


def pushed_apart(model, x, y):
    made, others = model(x), mx.roll(y, 1, axis=0)
    return mx.maximum(similarity(made, others), 0).mean() - similarity(made, y).mean()


mx.random.seed(2)
turn = mx.random.normal((8, 5))
for loss_fn in (one_less, negated, pushed_apart):
    model, optimizer = nn.Linear(8, 5), optim.Adam(learning_rate=1e-2)
    gradient = nn.value_and_grad(model, loss_fn)
    for _ in range(80):
        x = mx.random.normal((32, 8))
        loss, grads = gradient(model, x, x @ turn)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(loss_fn.__name__, loss.item())
