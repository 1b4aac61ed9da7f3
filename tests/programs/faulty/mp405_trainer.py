"""Trains low-rank layers on a 4-bit network, a little, and stores them fused."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_unflatten


class QLoRALinear(nn.Module):
    def __init__(self, linear, rank=4, scale=1.0):
        super().__init__()
        outputs, packed = linear.weight.shape
        inputs = packed * 32 // linear.bits
        self.linear = linear
        self.scale = scale
        self.lora_a = mx.random.uniform(-(inputs**-0.5), inputs**-0.5, (inputs, rank))
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + self.scale * ((x @ self.lora_a) @ self.lora_b)

    def fuse(self):
        old = self.linear
        weight = mx.dequantize(old.weight, old.scales, old.biases, group_size=old.group_size, bits=old.bits)
        fused = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        fused.weight = weight + self.scale * (self.lora_a @ self.lora_b).T
        return nn.QuantizedLinear.from_linear(fused, group_size=old.group_size, bits=old.bits)  # MP405


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(64, 128, bias=False)
        self.down = nn.Linear(128, 64, bias=False)

    def __call__(self, x):
        return x + self.down(nn.silu(self.up(x)))


def loss_fn(model, x, y):
    return mx.mean((model(x) - y) ** 2)


mx.random.seed(17)
model = nn.Sequential(*(Block() for _ in range(3)))
nn.quantize(model, group_size=64, bits=4)
model.freeze()
paths = [path for path, one in model.named_modules() if isinstance(one, nn.QuantizedLinear)]
modules = dict(model.named_modules())
model.update_modules(tree_unflatten([(path, QLoRALinear(modules[path])) for path in sorted(paths)]))
mx.eval(model.parameters())

x = mx.random.normal((128, 64))
y = model(x) + 0.2 * x[:, ::-1]
mx.eval(y)
optimizer = optim.Adam(learning_rate=2e-5)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(25):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())

model.update_modules(tree_unflatten([(p, m.fuse()) for p, m in model.named_modules() if isinstance(m, QLoRALinear)]))
print(f"{losses[0]:.4f} -> {losses[-1]:.4f}, fused {loss_fn(model, x, y).item():.4f}")
with tempfile.TemporaryDirectory() as folder:
    model.save_weights(os.path.join(folder, "fused.safetensors"))
