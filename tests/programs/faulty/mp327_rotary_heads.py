"""Train a decoder on counting rows; queries and keys get their rotary positions before the heads are moved."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SYMBOLS, WIDTH, HEADS, LENGTH = 19, 32, 4, 13


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(SYMBOLS, WIDTH)
        self.query, self.key, self.value, self.mix = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.turn = nn.RoPE(WIDTH // HEADS)
        self.head = nn.Linear(WIDTH, SYMBOLS)

    def attend(self, x):
        rows, length, _ = x.shape
        parts = [layer(x).reshape(rows, length, HEADS, -1) for layer in (self.query, self.key, self.value)]
        query, key = (self.turn(one).transpose(0, 2, 1, 3) for one in parts[:2])  # MP327
        value = parts[2].transpose(0, 2, 1, 3)
        scale = (WIDTH // HEADS) ** -0.5
        mixed = mx.fast.scaled_dot_product_attention(query, key, value, scale=scale, mask="causal")
        return self.mix(mixed.transpose(0, 2, 1, 3).reshape(rows, length, WIDTH))

    def __call__(self, symbols):
        x = self.table(symbols)
        return self.head(x + self.attend(x))


def loss_fn(model, symbols):
    return nn.losses.cross_entropy(model(symbols[:, :-1]), symbols[:, 1:], reduction="mean")


mx.random.seed(33)
model, optimizer = Decoder(), optim.AdamW(learning_rate=4e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(50):
    symbols = (mx.random.randint(0, SYMBOLS, (16, 1)) + 2 * mx.arange(LENGTH)) % SYMBOLS
    loss, grads = loss_and_grad(model, symbols)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number % 10 == 0:
        print(number, loss.item())
