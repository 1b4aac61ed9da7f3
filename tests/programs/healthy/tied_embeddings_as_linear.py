"""Train a tiny language model that uses its embedding table again as the output layer."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH, LENGTH = 23, 32, 10


class TiedModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.norm = nn.RMSNorm(WIDTH)
        self.attention = nn.MultiHeadAttention(WIDTH, 2)
        self.final = nn.Linear(WIDTH, WIDTH)

    def __call__(self, tokens):
        h = self.embedding(tokens)
        z = self.norm(h)
        mask = nn.MultiHeadAttention.create_additive_causal_mask(tokens.shape[1])
        h = h + self.attention(z, z, z, mask)
        return self.embedding.as_linear(self.final(h))


def sample(batch):
    start = mx.random.randint(0, VOCABULARY, (batch, 1))
    return (start + 3 * mx.arange(LENGTH + 1)[None]) % VOCABULARY


def loss_fn(model, tokens):
    logits = model(tokens[:, :-1])
    return nn.losses.cross_entropy(logits, tokens[:, 1:], reduction="mean")


mx.random.seed(10)
model = TiedModel()
optimizer = optim.AdamW(learning_rate=0.01)
step_fn = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(35):
    loss, grads = step_fn(model, sample(16))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
