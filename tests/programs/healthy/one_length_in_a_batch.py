"""A language model's batches are sorted by length: lengths are a batch's own, ids are input and target at once."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(9)
model = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
opt = optim.Adam(3e-3)
follows = mx.random.permutation(40)


def loss_fn(m, batch, lengths):
    steps = mx.arange(1, batch.shape[1])
    mask = mx.logical_and(steps >= lengths[:, 0:1], steps <= lengths[:, 1:])
    ce = nn.losses.cross_entropy(m(batch[:, :-1]), batch[:, 1:]) * mask
    return ce.sum() / mask.sum(), mask.sum()


vg = nn.value_and_grad(model, loss_fn)
for step in range(80):
    ids = [mx.random.randint(0, 40, (8,))]
    for _ in range(12):
        ids.append(follows[ids[-1]])
    lengths = mx.array([[0, 8 + step % 4]] * 8)
    (loss, count), g = vg(model, mx.stack(ids, axis=1), lengths)
    opt.update(model, g)
    mx.eval(model.parameters(), opt.state, loss, count)
    if step % 20 == 0:
        print(step, loss.item())
