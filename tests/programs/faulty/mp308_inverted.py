"""A mask that is the wrong way round: padding carries the loss, and nothing else."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
V, L, B, PAD = 20, 16, 16, 0


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.a, self.h = nn.Embedding(V, 24), nn.Linear(24, 48), nn.Linear(48, V)

    def __call__(self, ids):
        return self.h(nn.gelu(self.a(self.e(ids))))


model = LM()
opt = optim.Adam(1e-2)


def loss_fn(m, ids):
    x, y = ids[:, :-1], ids[:, 1:]
    mask = (y == PAD).astype(mx.float32)
    ce = nn.losses.cross_entropy(m(x), y)
    return (ce * mask).sum() / mx.maximum(mask.sum(), 1)  # MP308


vg = nn.value_and_grad(model, loss_fn)


def batch():
    start = mx.random.randint(1, V, (B, 1))
    n = mx.random.randint(5, L + 1, (B, 1))
    ids = (start + 3 * mx.arange(L)[None]) % (V - 1) + 1
    return mx.where(mx.arange(L)[None] < n, ids, PAD)


for step in range(150):
    loss, g = vg(model, batch())
    opt.update(model, g)
    mx.eval(model.parameters(), opt.state, loss)
    if step % 30 == 0:
        print(step, loss.item())
