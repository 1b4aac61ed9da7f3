"""Losses that take probabilities or squash on purpose: with_logits=False, distillation, routing by softmax."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Routed(nn.Module):
    def __init__(self):
        super().__init__()
        self.router, self.first, self.second = nn.Linear(6, 2), nn.Linear(6, 4), nn.Linear(6, 4)
        self.gate = nn.Linear(6, 1)

    def __call__(self, x):
        share = mx.softmax(self.router(x), axis=-1)
        mixed = share[:, :1] * self.first(x) + share[:, 1:] * self.second(x)
        return mixed, mx.sigmoid(self.gate(x))[:, 0], share


def loss_fn(model, x, y, teacher):
    logits, chance, share = model(x)
    hard = nn.losses.cross_entropy(logits, y, reduction="mean")
    soft = nn.losses.cross_entropy(logits, mx.softmax(teacher, axis=-1), reduction="mean")
    two = nn.losses.binary_cross_entropy(chance, (y > 1).astype(mx.float32), with_logits=False, reduction="mean")
    balance = 0.01 * (mx.logsumexp(mx.log(share.mean(axis=0)), axis=-1) + (share.mean(axis=0) ** 2).sum())
    return hard + 0.5 * soft + two + balance


mx.random.seed(2)
rule = mx.random.normal((6, 4))
model, optimizer = Routed(), optim.Adam(learning_rate=5e-3)
gradient = nn.value_and_grad(model, loss_fn)
for step in range(60):
    x = mx.random.normal((64, 6))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=-1), 2 * x @ rule)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
