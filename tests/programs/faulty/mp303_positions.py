"""nanoGPT with learned positions and a mask of its own; the batch function forgets the shift."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

block_size, vocab_size, n_embd, n_head = 16, 29, 32, 4


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.dropout = nn.Dropout(0.1)

    def __call__(self, x):
        B, T, C = x.shape
        q, k, v = (a.reshape(B, T, n_head, C // n_head).swapaxes(1, 2) for a in mx.split(self.c_attn(x), 3, axis=2))
        att = (q @ k.swapaxes(-1, -2)) / math.sqrt(C // n_head)
        att = mx.where(mx.triu(mx.ones((T, T)), k=1) == 1, float("-inf"), att)
        y = self.dropout(mx.softmax(att, axis=-1)) @ v
        return self.c_proj(y.swapaxes(1, 2).reshape(B, T, C))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.ln = nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention()
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)

    def __call__(self, idx, targets=None):
        x = self.wte(idx) + self.wpe(mx.arange(idx.shape[1])[None])
        x = x + self.attn(self.ln(x))
        logits = self.lm_head(x)
        loss = None
        if targets is not None:
            loss = mx.mean(nn.losses.cross_entropy(logits, targets))
        return logits, loss


def get_batch(size=12):
    start, stride = mx.random.randint(0, vocab_size, (size, 1)), mx.random.randint(1, 4, (size, 1))
    x = (start + stride * mx.arange(block_size)) % vocab_size
    return x, x  # MP303


mx.random.seed(1337)
model = GPT()
optimizer = optim.AdamW(learning_rate=1e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: model(x, y)[1])
for it in range(60):
    xb, yb = get_batch()
    loss, grads = loss_and_grad(xb, yb)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if it % 10 == 0:
        print(f"step {it}: {loss.item():.4f}")
