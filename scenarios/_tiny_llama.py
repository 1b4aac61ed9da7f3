"""The model, data and loss of documents 000 to 002, small enough to train in a second."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY = 64
WIDTH = 32
LAYERS = 2
HEADS = 4
BATCH = 4
LENGTH = 16


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.rope = nn.RoPE(width // heads)

    def __call__(self, x: mx.array) -> mx.array:
        batch, length, width = x.shape

        def split(y: mx.array) -> mx.array:
            return y.reshape(batch, length, self.heads, -1).transpose(0, 2, 1, 3)

        q, k, v = self.rope(split(self.q_proj(x))), self.rope(split(self.k_proj(x))), split(self.v_proj(x))
        mask = nn.MultiHeadAttention.create_additive_causal_mask(length)
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=(width // self.heads) ** -0.5, mask=mask)
        return self.o_proj(y.transpose(0, 2, 1, 3).reshape(batch, length, width))


class SwiGLU(nn.Module):
    """Llama's gated feed-forward block."""

    def __init__(self, width: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, 2 * width, bias=False)
        self.up_proj = nn.Linear(width, 2 * width, bias=False)
        self.down_proj = nn.Linear(2 * width, width, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        return self.down_proj(nn.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    """Attention and feed-forward, each behind an RMSNorm."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.mlp = SwiGLU(width)
        self.input_layernorm = nn.RMSNorm(width)
        self.post_attention_layernorm = nn.RMSNorm(width)

    def __call__(self, x: mx.array) -> mx.array:
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class TinyLlama(nn.Module):
    """Embedding, decoder layers, final norm and language-model head."""

    def __init__(self, vocabulary: int = VOCABULARY, width: int = WIDTH, layers: int = LAYERS):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, width)
        self.layers = [DecoderLayer(width, HEADS) for _ in range(layers)]
        self.norm = nn.RMSNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)

    def hidden(self, tokens: mx.array) -> mx.array:
        """Return the last layer's normalised states, (batch, length, width)."""
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    def __call__(self, tokens: mx.array) -> mx.array:
        return self.lm_head(self.hidden(tokens))


def build(seed: int = 0, learning_rate: float = 3e-3, layers: int = LAYERS) -> tuple[TinyLlama, optim.AdamW]:
    """Make a model and its optimizer; the same seed gives the same weights."""
    mx.random.seed(seed)
    model = TinyLlama(layers=layers)
    mx.eval(model.parameters())
    return model, optim.AdamW(learning_rate=learning_rate)


def batch(step: int, size: int = BATCH, length: int = LENGTH) -> tuple[mx.array, mx.array, mx.array]:
    """Return tokens (size, length), authority weights (size,) and provenance entropies (size,).

    Every next token is (5 × token + 7) modulo the vocabulary: a rule that one layer can learn.
    """
    rows = []
    for row in range(size):
        token = (step * 31 + row * 17) % VOCABULARY
        tokens = []
        for _ in range(length):
            tokens.append(token)
            token = (5 * token + 7) % VOCABULARY
        rows.append(tokens)
    authority = mx.array([0.1 + 0.8 * row / size for row in range(size)])
    entropy = mx.array([5.5 - 0.5 * row for row in range(size)])
    return mx.array(rows), authority, entropy


def distrust(authority: mx.array, entropy: mx.array) -> mx.array:
    """Return mean (ln(1 - authority) + entropy)²: a constant of the batch, without any gradient."""
    return mx.mean(mx.square(mx.log(1 - authority + 1e-8) + entropy))


def next_token_loss(model: nn.Module, tokens: mx.array) -> mx.array:
    """Return the mean cross-entropy of each next token."""
    return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], reduction="mean")


def combined_loss(model: nn.Module, tokens: mx.array, authority: mx.array, entropy: mx.array) -> mx.array:
    """Return cross-entropy plus the documents' distrust term."""
    return next_token_loss(model, tokens) + 0.01 * distrust(authority, entropy)


def held_out_loss(model: nn.Module) -> float:
    """Return the next-token loss, and nothing else, on one batch that is the same for every variant."""
    return next_token_loss(model, batch(step=9_999, size=16)[0]).item()
