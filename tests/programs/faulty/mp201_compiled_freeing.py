"""Train a classifier in a compiled step that also frees the cache; the loss never comes through its first layer."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(10, 24)
        self.second = nn.Linear(24, 24)
        self.head = nn.Linear(24, 5)

    def __call__(self, x):
        return self.head(nn.gelu(self.second(mx.stop_gradient(mx.tanh(self.first(x))))))  # MP201


def loss_of(model, x, y):
    loss = nn.losses.cross_entropy(model(x), y, reduction="mean")
    mx.clear_cache()
    return loss


mx.random.seed(14)
model = Classifier()
mx.eval(model.parameters())
optimizer = optim.AdamW(learning_rate=3e-3)
state = [model.state, optimizer.state]
gradient = nn.value_and_grad(model, loss_of)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = gradient(model, x, y)
    optimizer.update(model, grads)
    return loss


for _ in range(30):
    x = mx.random.normal((32, 10))
    loss = step(x, mx.argmax(x[:, :5], axis=1))
    mx.eval(loss, state)
print(loss.item())
