"""A classifier ends in a softmax, and its loss is one of logits."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(8, 32), nn.Linear(32, 5)

    def __call__(self, x):
        return mx.softmax(self.out(nn.relu(self.into(x))), axis=-1)  # MP302


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(0)
rule = mx.random.normal((8, 5))
model, optimizer = Classifier(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, loss_fn)
for step in range(60):
    x = mx.random.normal((64, 8))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=-1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
