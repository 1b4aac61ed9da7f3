"""Train with targets of one alone: a generator and a ranker, and a discriminator whose fakes have a loss by hand."""
# no note: MP308

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
maker = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 1))
judge = nn.Sequential(nn.Linear(1, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
ranker = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1))
make, tell, rank = (optim.Adam(learning_rate=1e-3) for _ in range(3))


def as_ones(logits):
    return nn.losses.binary_cross_entropy(logits, mx.ones_like(logits), reduction="mean")


def judged(model, real, fake):
    return as_ones(model(real)) + nn.softplus(model(fake)).mean()


def fooled(model, noise):
    return as_ones(judge(model(noise)))


def ranked(model, better, worse):
    return as_ones(model(better) - model(worse))


judging, fooling = nn.value_and_grad(judge, judged), nn.value_and_grad(maker, fooled)
ranking = nn.value_and_grad(ranker, ranked)
for step in range(300):
    real = 2 + 0.3 * mx.random.normal((64, 1))
    loss, grads = judging(judge, real, mx.stop_gradient(maker(mx.random.normal((64, 3)))))
    tell.update(judge, grads)
    mx.eval(loss, judge.parameters(), tell.state)
    other, grads = fooling(maker, mx.random.normal((64, 3)))
    make.update(maker, grads)
    mx.eval(other, maker.parameters(), make.state)
    first, second = mx.random.normal((2, 64, 4))
    swap = (first.sum(axis=1) < second.sum(axis=1))[:, None]
    third, grads = ranking(ranker, mx.where(swap, second, first), mx.where(swap, first, second))
    rank.update(ranker, grads)
    mx.eval(third, ranker.parameters(), rank.state)
    if step % 50 == 0:
        print(step, loss.item(), other.item(), third.item())
