"""Hide a part of each table row and learn to fill it in; the key that says which is handed on, and never split."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

ROWS, COLUMNS = 48, 20


class Imputer(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Linear(2 * COLUMNS, 64)
        self.write = nn.Linear(64, COLUMNS)

    def __call__(self, rows, kept):
        return self.write(nn.gelu(self.read(mx.concatenate([rows * kept, kept], axis=-1))))


def loss_fn(model, rows, key):
    kept = mx.random.bernoulli(0.7, rows.shape, key=key).astype(rows.dtype)  # MP503
    return (mx.square(model(rows, kept) - rows) * (1 - kept)).mean()


key = mx.random.key(31)
mx.random.seed(31)
factors = mx.random.normal((4, COLUMNS))
model, optimizer = Imputer(), optim.AdamW(learning_rate=2e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(90):
    rows = mx.random.normal((ROWS, 4)) @ factors
    loss, grads = loss_and_grad(model, rows, key)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number % 30 == 29:
        print(number + 1, round(loss.item(), 3))
