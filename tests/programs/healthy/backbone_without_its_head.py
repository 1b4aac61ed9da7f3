"""Take a pre-trained network without its head into a classifier with a new one, and a part of it into another."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(67)


class Network(nn.Module):
    def __init__(self, classes, head):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        setattr(self, head, nn.Linear(16, classes))
        self.head_name = head

    def __call__(self, x):
        return self[self.head_name](self.body(x))


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def descend(model, x, y, steps=25):
    optimizer = optim.AdamW(learning_rate=0.02)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


x = mx.random.normal((128, 8))
hidden = mx.maximum(x @ mx.random.normal((8, 12)), 0)
many, few = (mx.argmax(hidden @ mx.random.normal((12, classes)), axis=1) for classes in (20, 4))
mx.eval(x, many, few)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "network.safetensors")
    source = Network(20, "pretraining")
    print(f"pre-trained to {descend(source, x, many):.3f}")
    source.save_weights(path)

    target = Network(4, "classifier")
    target.load_weights(path, strict=False)
    print(f"fine-tuned to {descend(target, x, few):.3f}")

    body = {name.removeprefix("body."): one for name, one in mx.load(path).items()}
    encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
    encoder.load_weights(list(body.items()), strict=False)
    print(f"codes have a spread of {mx.std(encoder(x)).item():.3f}")
