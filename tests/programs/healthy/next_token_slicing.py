"""Train a one-layer transformer to predict the next token, with inputs and targets cut from one sequence."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH, LENGTH, BATCH = 19, 32, 12, 16


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.SinusoidalPositionalEncoding(WIDTH)
        self.encoder = nn.TransformerEncoder(1, WIDTH, 2, mlp_dims=64)
        self.out = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        length = ids.shape[1]
        mask = nn.MultiHeadAttention.create_additive_causal_mask(length)
        x = self.tokens(ids) + self.position(mx.arange(length))
        return self.out(self.encoder(x, mask))


def loss_fn(model, sequence):
    inputs, targets = sequence[:, :-1], sequence[:, 1:]
    return nn.losses.cross_entropy(model(inputs), targets, reduction="mean")


def sequences(steps):
    for _ in range(steps):
        start = mx.random.randint(0, VOCABULARY, (BATCH, 1))
        yield (start + 7 * mx.arange(LENGTH + 1)) % VOCABULARY


mx.random.seed(49)
model = LanguageModel()
optimizer = optim.AdamW(learning_rate=3e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for sequence in sequences(30):
    loss, grads = loss_and_grad(model, sequence)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
