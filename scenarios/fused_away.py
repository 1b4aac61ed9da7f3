"""A lightly trained adapter is fused into quantised weights, which rounds most of it away.

Symptom: the fused model behaves as if it had never been trained; with the adapter beside it, it does.
Cause: a quantised weight moves in steps, and the adapter's change is smaller than half of one.
Fix: leave the fused weights unquantised, or the adapter beside the quantised base.
Limits: with other sizes, or another Adam, the light adapter learns nothing in its few steps.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _qlora_llama import GROUP_SIZE, SCALE, LoRALinear, build, validate
from _tiny_llama import batch, next_token_loss
from mlx.utils import tree_unflatten

from mlxprobe import Outcome, Scenario

probe = Scenario()
probe.score(validate)

BITS = 2  # so that an adapter that rounding erases can still be seen to have learnt
LIGHT, STRONG = 4e-4, 1e-2


def trained(rate):
    """Train the adapters for a few steps."""
    model, optimizer = build(bits=BITS), optim.Adam(learning_rate=rate)
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for step in range(20):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


def plain(adapter):
    """Return one linear layer that does what a layer and its adapter do."""
    old = adapter.linear
    weight = mx.dequantize(old.weight, old.scales, old.biases, group_size=GROUP_SIZE, bits=BITS)
    fused = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    fused.weight = weight + SCALE * (adapter.lora_a @ adapter.lora_b).T
    return fused


def fuse(model, into):
    """Replace each adapted layer by one without an adapter."""
    layers = [(path, into(one)) for path, one in model.named_modules() if isinstance(one, LoRALinear)]
    model.update_modules(tree_unflatten(layers))
    mx.eval(model.parameters())
    return model


def quantized(adapter):
    """Return the fused layer at the base's own width."""
    return nn.QuantizedLinear.from_linear(plain(adapter), GROUP_SIZE, BITS)


@probe.correct
def fused_unquantised():
    """Leave the fused weights as they are."""
    return fuse(trained(LIGHT), plain)


@probe.broken(expects=Outcome.PASS, finds=["MP405"], comparable=False)
def fused_and_quantised():
    """Quantise the fused weights at the base's width."""
    return fuse(trained(LIGHT), quantized)


@probe.mitigation(expects=Outcome.PASS, comparable=False)
def strong_adapter_quantised():
    """Quantise after a training whose changes are larger than the steps."""
    return fuse(trained(STRONG), quantized)
