# A character model of convolutions, padded on both sides.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

text = "the cat sat on the mat and the dog sat on the log. " * 40
chars = sorted(set(text))
data = mx.array([chars.index(c) for c in text])


class ConvLM(nn.Module):
    def __init__(self, n, d=48):
        super().__init__()
        self.emb = nn.Embedding(n, d)
        self.pos = nn.Embedding(64, d)
        self.c1 = nn.Conv1d(d, d, 3, padding=1)
        self.c2 = nn.Conv1d(d, d, 3, padding=1)
        self.out = nn.Linear(d, n)

    def __call__(self, idx):
        x = self.emb(idx) + self.pos(mx.arange(idx.shape[1]))
        x = x + nn.relu(self.c1(x))  # MP307
        x = x + nn.relu(self.c2(x))
        return self.out(x)


def loss_fn(model, x, y):
    logits = model(x)
    return nn.losses.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1), reduction="mean")


mx.random.seed(7)
model = ConvLM(len(chars))
opt = optim.Adam(learning_rate=1e-3)
vg = nn.value_and_grad(model, loss_fn)
for it in range(80):
    ix = mx.random.randint(0, len(text) - 33, (16,)).tolist()
    x = mx.stack([data[i : i + 32] for i in ix])
    y = mx.stack([data[i + 1 : i + 33] for i in ix])
    loss, grads = vg(model, x, y)
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)
    if it % 10 == 0:
        print(f"iter {it}: loss {loss.item():.4f}")
