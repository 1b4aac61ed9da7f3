"""Distil a tagger into another of its kind, from an object that nobody has trained or loaded."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(41)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.mix, self.out = nn.Embedding(30, 16), nn.GRU(16, 16), nn.Linear(16, 6)

    def __call__(self, ids):
        return self.out(self.mix(self.table(ids)))


taught, pupil = Tagger(), Tagger()
optimizer = optim.Adam(learning_rate=3e-3)


def apart(ids, soft):
    return nn.losses.kl_div_loss(nn.log_softmax(pupil(ids)), soft, reduction="mean")


step = nn.value_and_grad(pupil, apart)
for i in range(200):
    ids = mx.random.randint(0, 30, (8, 12))
    loss, grads = step(ids, nn.log_softmax(taught(ids)))  # MP223
    optimizer.update(pupil, grads)
    mx.eval(pupil.parameters(), optimizer.state, loss)
    if i % 50 == 0:
        print(i, loss.item())
