"""A model that looks up rows of its own data, a frozen encoder beside it, and a backbone that is kept from training."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Rows:
    def __init__(self, rows):
        self.rows = rows


class Reader(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.source = Rows(rows)
        self._backbone = (nn.Linear(6, 12),)
        self.encoders = [Frozen(nn.Linear(6, 12).freeze())]
        self.head = nn.Linear(24, 1)

    def __call__(self, ids):
        x = self.source.rows[ids]
        return self.head(mx.concatenate([mx.tanh(self._backbone[0](x)), self.encoders[0].layer(x)], axis=1))


class Frozen:
    def __init__(self, layer):
        self.layer = layer


mx.random.seed(3)
rows = mx.random.normal((200, 6))
model, optimizer = Reader(rows), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, lambda ids: nn.losses.mse_loss(model(ids)[:, 0], rows[ids].sum(axis=1)))
for step in range(100):
    loss, grads = gradient(mx.random.randint(0, 200, (32,)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
