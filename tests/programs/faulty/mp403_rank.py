"""Loads an adapter of rank 2 into layers of rank 6 and serves it."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn


class Adapted(nn.Module):
    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.lora_a = 0.1 * mx.random.normal((base.weight.shape[1], rank))
        self.lora_b = mx.zeros((rank, base.weight.shape[0]))

    def __call__(self, x):
        return self.base(x) + (x @ self.lora_a) @ self.lora_b


def served(path):
    model = nn.Sequential(Adapted(nn.Linear(16, 32), rank=6), nn.ReLU(), Adapted(nn.Linear(32, 10), rank=6))
    model.load_weights(path, strict=False)  # MP403
    return model


mx.random.seed(12)
factors = {
    "layers.0.lora_a": (16, 2),
    "layers.0.lora_b": (2, 32),
    "layers.2.lora_a": (32, 2),
    "layers.2.lora_b": (2, 10),
}
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "adapters.safetensors")
    mx.save_safetensors(path, {key: 0.2 * mx.random.normal(shape) for key, shape in factors.items()})
    print(served(path)(mx.random.normal((3, 16))).tolist()[0][:3])
