"""Tunes the head of a frozen classifier, or so it says: the name of what is opened is another framework's."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 20), nn.Tanh())
        self.head = nn.Linear(20, 4)

    def __call__(self, x):
        return self.head(self.body(x))


def tuned(model):
    model.freeze()  # MP206
    model.head.unfreeze(keys=["kernel"])  # no layer has one
    return model


mx.random.seed(61)
model = tuned(Classifier())
optimizer = optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
x = mx.random.normal((30, 32, 10))
y = mx.argmax(x[..., :4], axis=-1)
for inputs, labels in zip(x, y, strict=True):
    loss, grads = loss_and_grad(inputs, labels)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
