"""Learn to sort: every row ends in its largest digits, which repeat, and each of them carries loss by right."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

DIGITS, LENGTH = 4, 12


class Sorter(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.digits = nn.Embedding(DIGITS, width)
        self.places = nn.Embedding(2 * LENGTH, width)
        self.block = nn.TransformerEncoderLayer(width, 2, 48)
        self.head = nn.Linear(width, DIGITS)

    def __call__(self, ids):
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        x = self.digits(ids) + self.places(mx.arange(ids.shape[1]))
        return self.head(self.block(x, mask))[:, LENGTH - 1 :]


def loss_fn(model, ids, targets):
    return nn.losses.cross_entropy(model(ids), targets, reduction="mean")


mx.random.seed(8)
model, optimizer = Sorter(), optim.AdamW(learning_rate=2e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(50):
    given = mx.random.randint(0, DIGITS, (24, LENGTH))
    rows = mx.concatenate([given, mx.sort(given, axis=1)], axis=1)
    loss, grads = loss_and_grad(model, rows[:, :-1], rows[:, LENGTH:])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
print(f"{loss.item():.3f}")
