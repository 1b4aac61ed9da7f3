"""The model, data and loss of document 003, small enough to train in a second.

A series goes through encoder and projection and becomes a few soft tokens; a frozen Llama reads them and the answer
so far; a trainable head predicts each next token of the answer.
"""

import math
from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import TinyLlama

VOCABULARY = 64
WIDTH = 32
CHANNELS = 3
SERIES_LENGTH = 32
KINDS = 4
ANSWER_LENGTH = 6
BATCH = 8


class Encoder(nn.Module):
    """Two strided convolutions and a LayerNorm: (batch, length, channels) to (batch, length / 4, features)."""

    def __init__(self, features: int = 16):
        super().__init__()
        self.conv1 = nn.Conv1d(CHANNELS, features, kernel_size=5, stride=2, padding=2)
        self.conv2 = nn.Conv1d(features, features, kernel_size=5, stride=2, padding=2)
        self.norm = nn.LayerNorm(features)

    def __call__(self, series: mx.array) -> mx.array:
        return self.norm(nn.relu(self.conv2(nn.relu(self.conv1(series)))))


class Projection(nn.Module):
    """Linear, GELU, Linear, LayerNorm: the encoder's features to the Llama's width."""

    def __init__(self, features: int = 16):
        super().__init__()
        self.up = nn.Linear(features, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def __call__(self, features: mx.array) -> mx.array:
        return self.norm(self.out(nn.gelu(self.up(features))))


class TimeSeriesLM(nn.Module):
    """Encoder and projection, a Llama that is to be frozen, and a head of its own."""

    def __init__(self, vocabulary: int = VOCABULARY, llm: Callable[..., TinyLlama] = TinyLlama):
        super().__init__()
        self.encoder = Encoder()
        self.projection = Projection()
        self.llm = llm(vocabulary, WIDTH)
        del self.llm.lm_head  # the trainable head stands in its place
        self.lm_head = nn.Linear(WIDTH, vocabulary, bias=False)

    def embed(self, series: mx.array, answer: mx.array) -> mx.array:
        """Return what the Llama reads: the series' soft tokens, then the answer but for its last token."""
        soft = self.projection(self.encoder(series))
        return mx.concatenate([soft, self.llm.embed_tokens(answer[:, :-1])], axis=1)

    def __call__(self, series: mx.array, answer: mx.array) -> mx.array:
        return self.lm_head(read(self.llm, self.embed(series, answer))[:, -answer.shape[1] :])


def read(llm: TinyLlama, x: mx.array) -> mx.array:
    """Run a Llama on embeddings, (batch, length, width), and return its last states."""
    for layer in llm.layers:
        x = layer(x)
    return llm.norm(x)


Past = list[tuple[mx.array, mx.array]]


def read_after(llm: TinyLlama, x: mx.array, past: Past) -> tuple[mx.array, Past]:
    """Run a Llama on embeddings that follow others; return its last states, and the keys and values of each layer.

    `past` holds the keys and values of what came before, once for the whole batch; it is empty where nothing did.
    """
    before = past[0][0].shape[2] if past else 0
    mask = nn.MultiHeadAttention.create_additive_causal_mask(before + x.shape[1])[before:]
    kept = []
    for number, layer in enumerate(llm.layers):
        attention, y = layer.self_attn, layer.input_layernorm(x)
        parts = (attention.q_proj(y), attention.k_proj(y), attention.v_proj(y))
        q, k, v = (part.reshape(*y.shape[:2], attention.heads, -1).transpose(0, 2, 1, 3) for part in parts)
        q, k = attention.rope(q, offset=before), attention.rope(k, offset=before)
        if past:
            old_k, old_v = (mx.repeat(old, len(x), axis=0) for old in past[number])
            k, v = mx.concatenate([old_k, k], axis=2), mx.concatenate([old_v, v], axis=2)
        kept.append((k, v))
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5, mask=mask)
        x = x + attention.o_proj(y.transpose(0, 2, 1, 3).flatten(2))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return llm.norm(x), kept


def build(kind: Callable[..., TimeSeriesLM] = TimeSeriesLM, **options) -> tuple[TimeSeriesLM, optim.AdamW]:
    """Make a model, nothing of it frozen, and its optimizer; always with the same weights."""
    mx.random.seed(0)
    model = kind(**options)
    mx.eval(model.parameters())
    return model, optim.AdamW(learning_rate=3e-3)


def batch(step: int, size: int = BATCH) -> tuple[mx.array, mx.array]:
    """Return series (size, length, channels) and answers (size, tokens).

    A series is a wave of one of four frequencies at any phase; the frequency gives the answer's first token, and each
    next one is (5 × token + 7) modulo the vocabulary.
    """
    row = mx.arange(size)
    kind = (row + step) % KINDS
    phase = 0.7 * step + 1.9 * row
    turns = 2 * math.pi * mx.arange(SERIES_LENGTH) / SERIES_LENGTH
    angle = (2 * kind[:, None] + 1) * turns + phase[:, None]
    series = mx.stack([mx.sin(angle + channel) for channel in range(CHANNELS)], axis=-1)
    answer = [11 * kind + 3]
    while len(answer) < ANSWER_LENGTH:
        answer.append((5 * answer[-1] + 7) % VOCABULARY)
    return series, mx.stack(answer, axis=-1)


def answer_loss(model: nn.Module, series: mx.array, answer: mx.array) -> mx.array:
    """Return the mean cross-entropy of the answer's tokens."""
    return nn.losses.cross_entropy(model(series, answer), answer, reduction="mean")


def held_out_loss(model: nn.Module) -> float:
    """Return the loss on phases that no training step sees."""
    return answer_loss(model, *batch(step=10_001, size=32)).item()
