"""Trains low-rank layers on a frozen network, saves them, and goes on from the file in a fresh network."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten


class LoRALinear(nn.Module):
    def __init__(self, linear, rank=4, scale=20.0):
        super().__init__()
        outputs, inputs = linear.weight.shape
        self.linear = linear
        self.scale = scale
        self.lora_a = mx.random.uniform(-(inputs**-0.5), inputs**-0.5, (inputs, rank))
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + self.scale * ((x @ self.lora_a) @ self.lora_b)


def network(**options):
    mx.random.seed(31)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 5))
    model.freeze()
    model.layers = [LoRALinear(one, **options) if isinstance(one, nn.Linear) else one for one in model.layers]
    return model


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def train(model, x, y, steps):
    optimizer = optim.Adam(learning_rate=5e-3)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    losses = []
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    return losses


def resumed(path):
    model = network()
    model.load_weights(path, strict=False)  # MP403
    return model


mx.random.seed(32)
x = mx.random.normal((128, 8))
y = mx.argmax(x @ mx.random.normal((8, 5)), axis=1)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "adapters.safetensors")
    model = network(scale=2.0)
    losses = train(model, x, y, 40)
    mx.save_safetensors(path, dict(tree_flatten(model.trainable_parameters())))
    print(losses[-1], train(resumed(path), x, y, 20)[0])
