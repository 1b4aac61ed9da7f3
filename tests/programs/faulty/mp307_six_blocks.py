# A decoder of six blocks of the author's own: no mask in any of them.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH, LENGTH, HEADS = 32, 32, 16, 2


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def __call__(self, x):
        batch, length, width = x.shape
        q, k, v = (
            one.reshape(batch, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)
            for one in mx.split(self.qkv(x), 3, axis=-1)
        )
        weights = mx.softmax(q @ k.swapaxes(-1, -2) / (width // HEADS) ** 0.5, axis=-1)  # MP307
        return self.out((weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def __call__(self, x):
        x = x + self.attention(self.before(x))
        return x + self.mlp(self.between(x))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.blocks = [Block() for _ in range(6)]
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        x = self.tokens(ids) + self.places(mx.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def loss_fn(model, ids, following):
    return nn.losses.cross_entropy(model(ids), following, reduction="mean")


mx.random.seed(0)
model = Decoder()
optimizer = optim.AdamW(learning_rate=1e-3)
text = (mx.cumsum(mx.arange(2000)) * 7 + mx.random.randint(0, 4, (2000,))) % VOCABULARY
value_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(30):
    at = mx.random.randint(0, 2000 - LENGTH - 1, (8, 1)) + mx.arange(LENGTH)
    loss, grads = value_and_grad(model, text[at], text[at + 1])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
