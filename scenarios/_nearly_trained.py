"""A layer that is a little off what it is to learn: small updates of large weights, as in fine-tuning."""

import mlx.core as mx
import mlx.nn as nn

WIDTH = 32


def ideal() -> mx.array:
    """Return the weights behind the data, all between 1 and 2."""
    return mx.random.uniform(1, 2, (WIDTH, WIDTH), key=mx.random.key(0))


def pretrained(dtype: mx.Dtype = mx.float32) -> nn.Linear:
    """Make a layer whose weights are about 0.05 off."""
    layer = nn.Linear(WIDTH, WIDTH, bias=False)
    layer.weight = ideal() + 0.05 * mx.random.normal((WIDTH, WIDTH), key=mx.random.key(1))
    layer.set_dtype(dtype)
    mx.eval(layer.parameters())
    return layer


def batch(step: int, size: int = 64) -> tuple[mx.array, mx.array]:
    """Return inputs and noisy outputs, (size, width) each, in float32."""
    x = mx.random.normal((size, WIDTH), key=mx.random.key(10 + step))
    return x, x @ ideal().T + 0.15 * mx.random.normal(x.shape, key=mx.random.key(1_000_000 + step))


def loss_fn(layer: nn.Linear, x: mx.array, y: mx.array) -> mx.array:
    """Return the mean squared error, in float32, of what the layer computes in the precision of its weights."""
    return nn.losses.mse_loss(layer(x.astype(layer.weight.dtype)).astype(mx.float32), y)


def true_loss(layer: nn.Linear) -> float:
    """Return the error on data that training does not see; 0.0225 of it is noise."""
    return loss_fn(layer, *batch(step=10_000, size=1024)).item()
