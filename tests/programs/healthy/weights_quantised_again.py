"""Quantise weights again: at another width, smoothed, with a strong adapter, and in training that sees rounding."""

import mlx.core as mx
import mlx.nn as nn

WIDTH = 128
mx.random.seed(45)
layers = [mx.quantize(mx.random.normal((WIDTH, WIDTH)) / WIDTH**0.5, 64, 4) for _ in range(3)]
x = mx.random.normal((16, WIDTH))


def full(parts):
    return mx.dequantize(*parts, 64, 4)


# To eight bits, for another device.
wide = [mx.quantize(full(parts).astype(mx.float16), 64, 8) for parts in layers]

# A factor per input channel, taken out of the activations.
factors = 1 + 0.1 * mx.random.uniform(shape=(WIDTH,))
smooth = [mx.quantize(full(parts) * factors, 64, 4) for parts in layers]

# An adapter that changes as much as the weights are large.
a, b = mx.random.normal((WIDTH, 8)) / WIDTH**0.5, 0.1 * mx.random.normal((8, WIDTH))
fused = [mx.quantize(full(parts) + (a @ b).T, 64, 4) for parts in layers]

# The same change, and fused weights that stay as they are.
light = [full(parts) + 0.01 * (a @ b).T for parts in layers]

# Training that sees the rounding.
net = nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False), nn.ReLU(), nn.Linear(WIDTH, 1))
net.layers[0].weight = light[0]


def rounded(w):
    return w + mx.stop_gradient(mx.dequantize(*mx.quantize(w, 64, 4), 64, 4) - w)


def loss_fn(w, x):
    return mx.mean((net.layers[2](nn.relu(x @ rounded(w).T)) - x[:, :1]) ** 2)


w, step = net.layers[0].weight, mx.value_and_grad(loss_fn)
for _ in range(10):
    loss, gradient = step(w, x)
    w = w - 0.05 * gradient
    mx.eval(w, loss)
mx.eval(wide, smooth, fused, light)
print(f"{loss.item():.4f}", mx.quantized_matmul(x, *fused[0], transpose=True, group_size=64, bits=4).shape)
