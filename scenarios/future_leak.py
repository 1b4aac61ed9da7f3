"""A next-token model sees the tokens that it is to predict.

Symptom: the training loss falls faster and further than it should; generated text is noise.
Cause: no causal mask: without one, or with a padding mask in its place, attention reads the tokens that follow.
Fix: `mask="causal"`, or the causal mask and the padding mask added up.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import TinyLlama, batch

from mlxprobe import Outcome, Scenario

probe = Scenario()


class Masked(nn.Module):
    """A tiny Llama whose attention takes the mask that it is given."""

    def __init__(self, mask):
        super().__init__()
        self.llama = TinyLlama(layers=0)
        self.attention = nn.MultiHeadAttention(32, 4)
        self.mask = mask

    def __call__(self, tokens):
        x = self.llama.embed_tokens(tokens)
        x = x + self.attention(x, x, x, mask=self.mask(tokens))
        return self.llama.lm_head(self.llama.norm(x))


def loss(model, tokens):
    """Return the mean cross-entropy of each next token."""
    return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], reduction="mean")


def train(mask):
    """Train with one kind of mask."""
    mx.random.seed(0)
    model, optimizer = Masked(mask), optim.AdamW(learning_rate=3e-3)
    loss_and_grad = nn.value_and_grad(model, loss)
    for step in range(30):
        value, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
    return model


@probe.correct
def causal_mask():
    """Let every position see what stands before it."""
    return train(lambda tokens: nn.MultiHeadAttention.create_additive_causal_mask(tokens.shape[1]))


@probe.broken(expects=Outcome.WRONG, finds=["MP307"])
def no_mask():
    """Let every position see all."""
    return train(lambda tokens: None)


@probe.broken(expects=Outcome.WRONG, finds=["MP307"])
def padding_mask_alone():
    """Hide padding, and nothing else."""
    return train(lambda tokens: mx.where(tokens == 0, -1e9, 0.0)[:, None, None, :])
