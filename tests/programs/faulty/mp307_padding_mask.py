"""Call the model by a method, with a dict and caches: its only mask is that of the padding."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class KeyValues:
    def __init__(self):
        self.keys = self.values = None
        self.offset = 0


class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.attention = nn.MultiHeadAttention(d, h)
        self.norm = nn.LayerNorm(d)
        self.drop = nn.Dropout(0.1)
        self.ff = nn.Linear(d, d)

    def forward(self, x, mask):
        y = self.norm(x)
        x = x + self.drop(self.attention(y, y, y, mask))
        return x + self.drop(nn.gelu(self.ff(x)))


class Model(nn.Module):
    def __init__(self, vocab=30, d=24):
        super().__init__()
        self.tokens = nn.Embedding(vocab, d)
        self.places = nn.Embedding(64, d)
        self.blocks = [Block(d, 2) for _ in range(2)]
        self.out = nn.Linear(d, vocab)

    def forward(self, batch, caches, train=True):
        ids = batch["input_ids"]
        lengths = batch["lengths"]
        inside = mx.arange(ids.shape[1])[None] < lengths[:, None]
        x = self.tokens(ids) + self.places(mx.arange(ids.shape[1]))
        mask = mx.where(inside, 0.0, -1e9)[:, None, None, :]  # MP307
        for b in self.blocks:
            x = b.forward(x, mask)
        return {"hidden": None, "logits": self.out(x), "caches": caches}


def loss_fn(model, batch):
    logits = model.forward(
        {"input_ids": batch["ids"][:, :-1], "lengths": batch["lengths"] - 1}, [KeyValues(), KeyValues()]
    )["logits"]
    weight = mx.arange(1, batch["ids"].shape[1])[None] < batch["lengths"][:, None]
    ce = nn.losses.cross_entropy(logits, batch["ids"][:, 1:])
    return (ce * weight).sum() / weight.sum()


mx.random.seed(3)
model = Model()
opt = optim.AdamW(learning_rate=1e-2)
vg = nn.value_and_grad(model, loss_fn)
for i in range(25):
    ids = (mx.random.randint(0, 29, (6, 1)) + 4 * mx.arange(16)) % 29 + 1
    lengths = mx.random.randint(8, 15, (6,))
    ids = mx.where(mx.arange(16)[None] < lengths[:, None], ids, 0)
    loss, g = vg(model, {"ids": ids, "lengths": lengths})
    opt.update(model, g)
    mx.eval(model.state, opt.state, loss)
print(loss.item())
