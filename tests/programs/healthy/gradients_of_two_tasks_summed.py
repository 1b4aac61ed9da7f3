"""Train two heads on one trunk: each task's gradients come from a function of its own, and their sum is applied."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(8, 24)
        self.amount = nn.Linear(24, 1)
        self.kind = nn.Linear(24, 3)

    def __call__(self, x):
        h = nn.relu(self.trunk(x))
        return self.amount(h)[:, 0], self.kind(h)


def amount_loss(model, x, amounts):
    return nn.losses.mse_loss(model(x)[0], amounts)


def kind_loss(model, x, kinds):
    return nn.losses.cross_entropy(model(x)[1], kinds, reduction="mean")


mx.random.seed(98)
model = TwoHeads()
optimizer = optim.SGD(learning_rate=0.05, momentum=0.9)
amount_and_grad = nn.value_and_grad(model, amount_loss)
kind_and_grad = nn.value_and_grad(model, kind_loss)
for _ in range(120):
    x = mx.random.normal((64, 8))
    amounts, kinds = mx.sin(x[:, 0]), mx.argmax(x[:, 1:4], axis=1)
    first, amount_grads = amount_and_grad(model, x, amounts)
    second, kind_grads = kind_and_grad(model, x, kinds)
    optimizer.update(model, tree_map(lambda a, b: a + b, amount_grads, kind_grads))
    mx.eval(first, second, model.parameters(), optimizer.state)
print(f"amount {first.item():.3f}, kind {second.item():.3f}")
