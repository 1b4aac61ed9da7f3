"""Train adapters, and load them into layers of their scale: given, written otherwise, and set afterwards."""

import json
import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten


class LoRALinear(nn.Module):
    def __init__(self, linear, rank=4, alpha=None):
        super().__init__()
        outputs, inputs = linear.weight.shape
        self.linear = linear
        self.scale = (alpha or rank) / rank
        self.lora_a = mx.random.uniform(-(inputs**-0.5), inputs**-0.5, (inputs, rank))
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + self.scale * ((x @ self.lora_a) @ self.lora_b)


class Serving(nn.Module):
    """The same layer in other words: the scale lies in the second factor's product."""

    def __init__(self, linear, rank, factor):
        super().__init__()
        self.linear, self.multiply = linear, lambda x: factor * x
        self.lora_a, self.lora_b = mx.zeros((linear.weight.shape[1], rank)), mx.zeros((rank, linear.weight.shape[0]))

    def __call__(self, x):
        return self.linear(x) + self.multiply(x @ self.lora_a) @ self.lora_b


def network(adapted, **options):
    mx.random.seed(43)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 5))
    model.freeze()
    model.layers = [adapted(one, **options) if isinstance(one, nn.Linear) else one for one in model.layers]
    return model


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def train(model, x, y, steps):
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()


mx.random.seed(44)
x = mx.random.normal((96, 8))
y = mx.argmax(x @ mx.random.normal((8, 5)), axis=1)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "adapters.safetensors")
    model = network(LoRALinear, rank=4, alpha=16)
    train(model, x, y, 30)
    mx.save_safetensors(path, dict(tree_flatten(model.trainable_parameters())))
    with open(os.path.join(folder, "adapter_config.json"), "w") as file:
        json.dump({"lora_parameters": {"rank": 4, "alpha": 16}}, file)

    serving = network(Serving, rank=4, factor=4.0)
    serving.load_weights(path, strict=False)
    later = network(LoRALinear)
    later.load_weights(list(mx.load(path).items()), strict=False)
    for layer in later.layers[::2]:
        layer.scale = 4.0
    print([round(loss_fn(one, x, y).item(), 4) for one in (model, serving, later)])
