"""Train a small bidirectional encoder to fill in hidden tokens; the targets are the original tokens, unshifted."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, MASK, LENGTH, WIDTH = 11, 11, 9, 32


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY + 1, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.body = nn.TransformerEncoder(1, WIDTH, 4, mlp_dims=64)
        self.out = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        x = self.tokens(ids) + self.places(mx.arange(ids.shape[1]))
        return self.out(self.body(x, None))


def loss_fn(model, corrupted, original, hidden):
    losses = nn.losses.cross_entropy(model(corrupted), original)
    return mx.sum(losses * hidden) / mx.sum(hidden)


mx.random.seed(50)
model = Encoder()
phrases = mx.random.randint(0, VOCABULARY, (12, LENGTH))
optimizer = optim.Adam(learning_rate=5e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(40):
    original = phrases[mx.random.randint(0, 12, (32,))]
    hidden = mx.random.uniform(shape=original.shape) < 0.3
    corrupted = mx.where(hidden, MASK, original)
    loss, grads = loss_and_grad(model, corrupted, original, hidden)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
