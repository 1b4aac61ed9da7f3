"""Resume adapters whose file was written by a model that lies one module deeper."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

mx.random.seed(68)


class Adapted(nn.Module):
    def __init__(self, in_, out, rank=2):
        super().__init__()
        self.base = nn.Linear(in_, out)
        self.lora_a = mx.random.normal((in_, rank)) * 0.3
        self.lora_b = mx.zeros((rank, out))

    def __call__(self, x):
        return self.base(x) + (x @ self.lora_a) @ self.lora_b


class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(Adapted(6, 16), nn.Tanh(), Adapted(16, 1))

    def __call__(self, x):
        return self.model(x)


def descend(model, x, y):
    model.freeze()
    model.unfreeze(keys=["lora_a", "lora_b"])
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for _ in range(30):
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


def resumed(path):
    model = nn.Sequential(Adapted(6, 16), nn.Tanh(), Adapted(16, 1))
    weights = mx.load(path)
    model.load_weights(list(weights.items()), strict=False)  # MP401
    return model


x = mx.random.normal((64, 6))
y = x[:, :1] * x[:, 1:2]
mx.eval(x, y)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "adapter.safetensors")
    wrapped = Wrapper()
    before = descend(wrapped, x, y)
    mx.save_safetensors(path, dict(tree_flatten(wrapped.trainable_parameters())))
    print(f"{before:.3f}, then {descend(resumed(path), x, y):.3f}")
