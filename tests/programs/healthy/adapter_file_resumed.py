"""Train low-rank adapters on a frozen network, save them alone, and resume from their file with `strict=False`."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

mx.random.seed(66)


class Adapted(nn.Module):
    def __init__(self, base, rank=2):
        super().__init__()
        out, in_ = base.weight.shape
        self.base = base
        self.lora_a = mx.random.normal((in_, rank)) * 0.3
        self.lora_b = mx.zeros((rank, out))

    def __call__(self, x):
        return self.base(x) + (x @ self.lora_a) @ self.lora_b


def adapted(base_file):
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3))
    model.load_weights(base_file)
    model.freeze()
    model.layers = [Adapted(one) if isinstance(one, nn.Linear) else one for one in model.layers]
    return model


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def descend(model, x, y, steps):
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


x = mx.random.normal((96, 6))
y = mx.argmax(x @ mx.random.normal((6, 3)), axis=1)
mx.eval(x, y)

with tempfile.TemporaryDirectory() as folder:
    base, adapter = os.path.join(folder, "base.safetensors"), os.path.join(folder, "adapter.npz")
    nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3)).save_weights(base)

    first = adapted(base)
    before = descend(first, x, y, steps=15)
    mx.savez(adapter, **dict(tree_flatten(first.trainable_parameters())))

    second = adapted(base)
    second.load_weights(adapter, strict=False)
    print(f"{before:.3f}, resumed to {descend(second, x, y, steps=15):.3f}")

    serving = adapted(base)
    serving.load_weights(list(mx.load(adapter).items()), strict=False)
    print(f"served at {loss_fn(serving, x, y).item():.3f}")
