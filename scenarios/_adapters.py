"""Low-rank adapters for the tiny Llama, and the loop that trains what is trainable."""

import _checkpoints
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import TinyLlama
from mlx.utils import tree_unflatten

ADAPTED = ("q_proj", "v_proj", "lm_head")


class LoRALinear(nn.Module):
    """A linear layer plus the scaled product of two small matrices."""

    def __init__(self, linear: nn.Linear, rank: int = 4, scale: float = 20.0):
        super().__init__()
        outputs, inputs = linear.weight.shape
        self.linear = linear
        self.scale = scale
        self.lora_a = mx.random.uniform(-(inputs**-0.5), inputs**-0.5, (inputs, rank))
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x: mx.array) -> mx.array:
        return self.linear(x) + self.scale * ((x @ self.lora_a) @ self.lora_b)


def adapt(model: nn.Module, **options: float) -> None:
    """Put adapters beside the projections of queries and values, and beside the head."""
    layers = [(path, one) for path, one in model.named_modules() if path.rpartition(".")[2] in ADAPTED]
    model.update_modules(tree_unflatten([(path, LoRALinear(one, **options)) for path, one in sorted(layers)]))


def adapted(**options: float) -> TinyLlama:
    """Make a frozen model with trainable adapters; the same weights each time."""
    mx.random.seed(0)
    model = TinyLlama()
    model.freeze()
    adapt(model, **options)
    mx.eval(model.parameters())
    return model


def train(model: nn.Module, first: int = 0, last: int = 40) -> nn.Module:
    """Train from step `first` up to `last` with a new optimizer, and return the model."""
    return _checkpoints.train(model, optim.AdamW(learning_rate=3e-3), first, last)
