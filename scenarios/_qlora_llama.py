"""The 4-bit Llama with LoRA adapters of document 004, its micro-batches and its validation loop."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import VOCABULARY, TinyLlama, batch, next_token_loss
from mlx.utils import tree_flatten, tree_map, tree_unflatten

BITS = 4
GROUP_SIZE = 32  # divides every width of the tiny model
RANK = 8
SCALE = 2.0

WINDOW = 4  # micro-batches to an update
EPOCH = 10  # micro-batches to an epoch: two windows, and a remainder of two


class LoRALinear(nn.Module):
    """A frozen, quantised linear layer plus the product of two small trainable matrices."""

    def __init__(self, linear: nn.QuantizedLinear):
        super().__init__()
        outputs, packed = linear.weight.shape
        inputs = packed * 32 // linear.bits
        self.linear = linear
        self.lora_a = mx.random.uniform(low=-(inputs**-0.5), high=inputs**-0.5, shape=(inputs, RANK))
        self.lora_b = mx.zeros((RANK, outputs))

    def __call__(self, x: mx.array) -> mx.array:
        return self.linear(x) + SCALE * ((x @ self.lora_a) @ self.lora_b)


def build(
    adapted: Collection[str] = ("q_proj", "v_proj", "lm_head"), vocabulary: int = VOCABULARY, bits: int = BITS
) -> TinyLlama:
    """Make a quantised, frozen model with trainable adapters beside the layers named in `adapted`."""
    mx.random.seed(0)
    model = TinyLlama(vocabulary)
    nn.quantize(model, group_size=GROUP_SIZE, bits=bits)
    model.freeze()
    layers = [(path, layer) for path, layer in model.named_modules() if path.rpartition(".")[2] in adapted]
    model.update_modules(tree_unflatten([(path, LoRALinear(layer)) for path, layer in sorted(layers)]))
    mx.eval(model.parameters())
    return model


Loss = Callable[..., mx.array]


def start(loss_fn: Loss = next_token_loss, vocabulary: int = VOCABULARY) -> tuple[TinyLlama, optim.AdamW, Callable]:
    """Make a model with an adapted head, its optimizer, and the function that gives loss and gradients."""
    model = build(["lm_head"], vocabulary)
    return model, optim.AdamW(1e-2), nn.value_and_grad(model, loss_fn)


class Training:
    """The head's adapters, an optimizer, and the two halves of gradient accumulation."""

    def __init__(self, optimizer: optim.Optimizer, loss_fn: Loss = next_token_loss):
        self.model = build(["lm_head"])
        self.optimizer = optimizer
        self._loss_and_grad = nn.value_and_grad(self.model, loss_fn)

    def accumulate(self, total: Any, tokens: mx.array, *, evaluate: bool = True) -> Any:
        """Add a micro-batch's gradients to `total`, None at first; read its loss."""
        loss, grads = self._loss_and_grad(self.model, tokens)
        total = grads if total is None else tree_map(mx.add, total, grads)
        if evaluate:
            mx.eval(total)
        loss.item()
        return total

    def update(self, grads: Any) -> None:
        """Apply gradients, and evaluate what that changes."""
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)


def divide(grads: Any, count: int) -> Any:
    """Divide a tree of gradients by a number of micro-batches."""
    return tree_map(lambda grad: grad / count, grads)


def micro_batches(epoch: int) -> list[mx.array]:
    """Return an epoch's micro-batches of tokens, (batch, length) each."""
    return [batch(epoch * EPOCH + number)[0] for number in range(EPOCH)]


def windows(updates: int) -> Iterator[list[mx.array]]:
    """Yield the micro-batches of each of `updates` full windows."""
    for first in range(0, updates * WINDOW, WINDOW):
        yield [batch(number)[0] for number in range(first, first + WINDOW)]


def validate(model: nn.Module) -> float:
    """Return the mean loss over batches that training does not see, each evaluated before the next."""
    losses = [next_token_loss(model, batch(10_000 + number)[0]).item() for number in range(4)]
    return sum(losses) / len(losses)


def true_loss(adapters: dict[str, Any]) -> float:
    """Return the validation loss of the quantised model with these adapters, as `trainable_parameters` gives them."""
    adapters = tree_map(mx.array, adapters)
    adapted = {path.split(".")[-2] for path, _ in tree_flatten(adapters)}
    model = build(adapted, vocabulary=adapters["lm_head"]["lora_b"].shape[-1])
    model.update(adapters)
    return validate(model)
