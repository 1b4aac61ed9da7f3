"""Tell apart five kinds of sequences; the loss is chosen by its name, and is one of log-probabilities."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SETTINGS = {"loss": "nll_loss", "rate": 3e-3}


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(50, 16), nn.Linear(16, 5)

    def __call__(self, ids):
        return self.out(mx.mean(self.table(ids), axis=1))


def objective(model, ids, kinds):
    return getattr(nn.losses, SETTINGS["loss"])(model(ids), kinds, reduction="mean")  # MP302


mx.random.seed(4)
model, optimizer = Reader(), optim.Adam(learning_rate=SETTINGS["rate"])
loss_and_grad = nn.value_and_grad(model, objective)
for _ in range(80):
    kinds = mx.random.randint(0, 5, (32,))
    ids = mx.random.randint(0, 10, (32, 12)) + 10 * kinds[:, None]
    loss, grads = loss_and_grad(model, ids, kinds)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print("loss", loss.item())
# also: MP306
