"""A training loop that is cut in two, and the safetensors files that it leaves between its halves."""

import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import VOCABULARY, TinyLlama, batch, next_token_loss
from mlx.utils import tree_flatten

SAVED_AT = 30
STEPS = 60


def begin(seed: int = 0, vocabulary: int = VOCABULARY, learning_rate: float = 3e-3) -> tuple[TinyLlama, optim.AdamW]:
    """Make a model and its optimizer; the same seed gives the same weights."""
    mx.random.seed(seed)
    model = TinyLlama(vocabulary)
    mx.eval(model.parameters())
    return model, optim.AdamW(learning_rate=learning_rate)


def train(model: nn.Module, optimizer: optim.Optimizer, first: int = 0, last: int = STEPS) -> nn.Module:
    """Train from step `first` up to `last` and return the model."""
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for step in range(first, last):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


def checkpoint(prefix: str = "", vocabulary: int = VOCABULARY, *, with_state: bool = True) -> str:
    """Train up to `SAVED_AT`, save weights and (unless left out) optimizer state, and return their folder."""
    model, optimizer = begin(vocabulary=vocabulary)
    train(model, optimizer, last=SAVED_AT)
    folder = tempfile.mkdtemp()
    for name, tree in (("model", model.parameters()), ("optimizer", optimizer.state))[: 1 + with_state]:
        mx.save_safetensors(f"{folder}/{name}.safetensors", {prefix + key: leaf for key, leaf in tree_flatten(tree)})
    return folder
