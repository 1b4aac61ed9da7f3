"""A decoder of two heads reads learned prompts before each row; where its rows begin and end comes as two numbers."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SYMBOLS, WIDTH, HEADS, LENGTH, PROMPTS = 17, 32, 2, 14, 5


class Prompted(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(SYMBOLS, WIDTH)
        self.prompts = mx.random.normal((PROMPTS, WIDTH)) * 0.1
        self.query, self.key, self.value, self.mix = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.turn = nn.RoPE(WIDTH // HEADS)
        self.head = nn.Linear(WIDTH, SYMBOLS)

    def split(self, x):
        return x.reshape(*x.shape[:2], HEADS, -1).swapaxes(1, 2)

    def __call__(self, symbols):
        prompts = mx.broadcast_to(self.prompts, (len(symbols), PROMPTS, WIDTH))
        x = mx.concatenate([prompts, self.table(symbols)], axis=1)
        query, key = (self.turn(self.split(layer(x))) for layer in (self.query, self.key))
        scale = (WIDTH // HEADS) ** -0.5
        mixed = mx.fast.scaled_dot_product_attention(query, key, self.split(self.value(x)), scale=scale, mask="causal")
        x = x + self.mix(mixed.swapaxes(1, 2).flatten(-2))
        return self.head(x[:, PROMPTS:])


def loss_fn(model, symbols, ends):
    steps = mx.arange(1, LENGTH)
    mask = (steps >= ends[:, :1]) & (steps < ends[:, 1:])
    return (nn.losses.cross_entropy(model(symbols[:, :-1]), symbols[:, 1:]) * mask).sum() / mask.sum()


mx.random.seed(71)
model, optimizer = Prompted(), optim.AdamW(learning_rate=4e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(60):
    symbols = (mx.random.randint(0, SYMBOLS, (12, 1)) + 3 * mx.arange(LENGTH)) % SYMBOLS
    ends = mx.concatenate([mx.random.randint(0, 4, (12, 1)), mx.random.randint(9, LENGTH + 1, (12, 1))], axis=1)
    loss, grads = loss_and_grad(model, symbols, ends)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number % 15 == 0:
        print(number, loss.item())
