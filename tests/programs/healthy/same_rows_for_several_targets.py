"""Rows come again with other targets, and rightly: tasks in turn, positions in the batch, noise that is drawn anew."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

ROWS, WIDTH = 96, 6

mx.random.seed(84)
x = mx.random.normal((ROWS, WIDTH))
tasks = [mx.argmax(x @ mx.random.normal((WIDTH, 2)), axis=1) for _ in range(3)]
mx.eval(x, tasks)


def fit(model, forward, batches):
    optimizer = optim.Adam(learning_rate=5e-3)
    loss_and_grad = nn.value_and_grad(model, forward)
    losses = []
    for given in batches:
        loss, grads = loss_and_grad(*given)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        losses.append(loss.item())
    print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")


heads = nn.Linear(WIDTH, 6)


def one_task(x, which, y):
    logits = heads(x).reshape(-1, 3, 2)[mx.arange(x.shape[0]), which]
    return nn.losses.cross_entropy(logits, y, reduction="mean")


def in_turn():
    for number in range(60):
        rows, which = mx.random.randint(0, ROWS, (32,)), mx.full((32,), number % 3)
        yield x[rows], which, tasks[number % 3][rows]


tower = nn.Linear(WIDTH, 12)


def matched(first, second, place):
    return nn.losses.cross_entropy(8 * tower(first) @ tower(second).T, place, reduction="mean")


def in_pairs():
    for _ in range(60):
        rows = mx.random.permutation(ROWS)[:24]
        yield x[rows], x[rows] + 0.05 * mx.random.normal((24, WIDTH)), mx.arange(24)


denoiser = nn.Sequential(nn.Linear(WIDTH + 1, 48), nn.ReLU(), nn.Linear(48, WIDTH))


def denoised(x, noise, share):
    mixed = (1 - share) * x + share * noise
    return nn.losses.mse_loss(denoiser(mx.concatenate([mixed, share], axis=1)), noise)


def with_noise():
    for _ in range(60):
        rows = mx.random.randint(0, ROWS, (32,))
        yield x[rows], mx.random.normal((32, WIDTH)), mx.random.uniform(0.5, 1, (32, 1))


fit(heads, one_task, in_turn())
fit(tower, matched, in_pairs())
fit(denoiser, denoised, with_noise())
