"""Tag words of which only the first piece counts: the others are marked -1, and the loss takes that for a class."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

PIECES, TAGS, ROWS, LENGTH = 60, 9, 24, 14


def tagged():
    pieces = mx.random.randint(0, PIECES, (ROWS, LENGTH))
    first = mx.random.uniform(shape=pieces.shape) < 0.7
    return pieces, mx.where(first, pieces % TAGS, -1)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.pieces = nn.Embedding(PIECES, 24)
        self.tags = nn.Linear(24, TAGS)

    def loss(self, pieces, tags):
        logits = self.tags(nn.silu(self.pieces(pieces)))
        surprise = mx.logsumexp(logits, axis=-1) - mx.take_along_axis(logits, tags[..., None], axis=-1)[..., 0]  # MP304
        return surprise.mean()


mx.random.seed(31)
tagger, optimizer = Tagger(), optim.Adam(learning_rate=2e-2)
step = nn.value_and_grad(tagger, tagger.loss)
for k in range(60):
    loss, grads = step(*tagged())
    optimizer.update(tagger, grads)
    mx.eval(tagger, optimizer.state, loss)
    if k % 20 == 19:
        print(f"{k + 1}: {loss.item():.3f}")
