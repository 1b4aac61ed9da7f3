"""The tiny Llama with frozen 4-bit layers, its batches, and a loss of the answer to a prompt."""

from collections.abc import Iterator

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import TinyLlama, batch, build

STEPS = 40


def quantized() -> tuple[TinyLlama, optim.AdamW]:
    """Make a model whose embedding, norms and head are left to train, and its optimizer."""
    model, optimizer = build()
    for layer in model.layers:
        nn.quantize(layer, group_size=32, bits=4)
    return model, optimizer


def batches() -> Iterator[mx.array]:
    """Yield each step's tokens."""
    return (batch(step)[0] for step in range(STEPS))


def apply(model: nn.Module, optimizer: optim.Optimizer, grads: dict) -> None:
    """Update the model and evaluate what the update changed."""
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)


def answer_loss(model: nn.Module, tokens: mx.array, prompt: int) -> mx.array:
    """Return the mean cross-entropy of the tokens behind the first `prompt` ones; 0/0 where there are none."""
    losses = nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    answer = mx.broadcast_to(mx.arange(1, tokens.shape[1]) >= prompt, losses.shape)
    return mx.sum(losses * answer) / mx.sum(answer)
