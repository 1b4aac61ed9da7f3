"""QLoRA training of an adapted head in NumPy float64: what MLX's loops are compared with.

Only the frozen, quantised backbone's outputs and the head's weights come from MLX; loss, gradients and updates are
written out here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from _qlora_llama import BITS, GROUP_SIZE, SCALE, build

Adapters = dict[str, np.ndarray]
Update = Callable[[Adapters, Adapters], None]


def train_in_float64(windows: Iterable[Sequence[mx.array]], update: Update) -> dict[str, Any]:
    """Train the head's adapters, one update for the averaged gradients of each window, and return them as a tree."""
    model = build(adapted=["lm_head"])
    head = model.lm_head.linear
    frozen = double(mx.dequantize(head.weight, head.scales, head.biases, group_size=GROUP_SIZE, bits=BITS))
    adapters = {"lora_a": double(model.lm_head.lora_a), "lora_b": double(model.lm_head.lora_b)}
    for window in windows:
        grads = [gradients(double(model.hidden(tokens[:, :-1])), tokens, frozen, adapters) for tokens in window]
        update(adapters, {name: np.mean([one[name] for one in grads], axis=0) for name in adapters})
    return {"lm_head": adapters}


def gradients(hidden: np.ndarray, tokens: mx.array, frozen: np.ndarray, adapters: Adapters) -> Adapters:
    """Return the gradients of the mean next-token cross-entropy with respect to the adapters."""
    x, labels = hidden.reshape(-1, hidden.shape[-1]), np.array(tokens)[:, 1:].reshape(-1)
    inner = x @ adapters["lora_a"]
    logits = x @ frozen.T + SCALE * inner @ adapters["lora_b"]
    chances = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances /= chances.sum(axis=-1, keepdims=True)
    error = (chances - np.eye(logits.shape[-1])[labels]) / len(labels)
    return {"lora_a": SCALE * x.T @ (error @ adapters["lora_b"].T), "lora_b": SCALE * inner.T @ error}


def sgd(learning_rate: float) -> Update:
    """Make a plain gradient step."""

    def update(adapters: Adapters, grads: Adapters) -> None:
        for name, grad in grads.items():
            adapters[name] -= learning_rate * grad

    return update


def adamw(learning_rate: float) -> Update:
    """Make an AdamW step with MLX's defaults: no bias correction, decay 0.01."""
    first: Adapters = {}
    second: Adapters = {}

    def update(adapters: Adapters, grads: Adapters) -> None:
        for name, grad in grads.items():
            first[name] = 0.9 * first.get(name, 0.0) + 0.1 * grad
            second[name] = 0.999 * second.get(name, 0.0) + 0.001 * grad**2
            adapters[name] *= 1 - 0.01 * learning_rate
            adapters[name] -= learning_rate * first[name] / (np.sqrt(second[name]) + 1e-8)

    return update


def double(array: mx.array) -> np.ndarray:
    """Copy an MLX array into float64."""
    return np.array(array, dtype=np.float64)
