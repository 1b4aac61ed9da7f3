"""Adapts a network to rotated inputs with low-rank layers."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten


class LoRALinear(nn.Module):
    def __init__(self, linear, rank=4, scale=2.0):
        super().__init__()
        outputs, inputs = linear.weight.shape
        self.linear = linear
        self.dropout = nn.Dropout(0.05)
        self.scale = scale
        self.lora_a = mx.random.uniform(-(inputs**-0.5), inputs**-0.5, (inputs, rank))
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + self.scale * ((self.dropout(x) @ self.lora_a) @ self.lora_b)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(16, 64), nn.Linear(64, 64), nn.Linear(64, 5)]

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = nn.gelu(layer(x))
        return self.layers[-1](x)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def fit(model, x, y, rate, steps):
    optimizer = optim.AdamW(learning_rate=rate)
    step = nn.value_and_grad(model, loss_fn)
    for k in range(steps):
        rows = slice(64 * (k % 4), 64 * (k % 4) + 64)
        loss, grads = step(model, x[rows], y[rows])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


mx.random.seed(4)
model = Net()
mx.eval(model.parameters())
x = mx.random.normal((256, 16))
y = mx.argmax(x @ mx.random.normal((16, 5)), axis=1)

model.layers = [LoRALinear(layer) for layer in model.layers]  # MP211
after = fit(model, x, y, 3e-3, 40)
print(f"adapted to {after:.3f}; {len(tree_flatten(model.trainable_parameters()))} tensors")
