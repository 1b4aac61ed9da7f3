"""A float32 array lifts the activations of a half-precision model.

Symptom: a bfloat16 model needs the memory and the time of a float32 one; its weights are bfloat16 all the same.
Cause: half precision and a float32 array make float32, and from there on every activation is.
Fix: Python numbers for constants, or `.astype(x.dtype)`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario(tolerance=0.1)


class Network(nn.Module):
    """Two layers with a scale between them."""

    def __init__(self, scale):
        super().__init__()
        self.first, self.second = nn.Linear(8, 64, bias=False), nn.Linear(64, 4, bias=False)  # runs on mlx 0.26 too
        self.scale = lambda x: x * scale

    def __call__(self, x):
        return self.second(self.scale(nn.relu(self.first(x))))


def train(scale):
    """Train in bfloat16; the loss is float32."""
    mx.random.seed(0)
    model, optimizer = Network(scale), optim.SGD(learning_rate=0.1)
    model.set_dtype(mx.bfloat16)
    loss_and_grad = nn.value_and_grad(
        model, lambda model, x, y: nn.losses.cross_entropy(model(x).astype(mx.float32), y, reduction="mean")
    )
    for _ in range(40):
        x = mx.random.normal((64, 8)).astype(mx.bfloat16)
        loss, grads = loss_and_grad(model, x, mx.argmax(x[:, :4], axis=1))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def scaled_by_a_number():
    """Scale by a Python number."""
    return train(0.5)


@probe.broken(expects=Outcome.PASS, finds=["MP112"])
def scaled_by_an_array():
    """Scale by a float32 array."""
    return train(mx.array([0.5] * 64))
