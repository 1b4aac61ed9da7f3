"""Train a token autoencoder that squeezes a sequence into one vector and must give the same sequence back."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, LENGTH, WIDTH = 10, 5, 48


class TokenAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.encode = nn.Linear(LENGTH * WIDTH, WIDTH)
        self.decode = nn.Linear(WIDTH, LENGTH * VOCABULARY)

    def __call__(self, tokens):
        code = mx.tanh(self.encode(self.embedding(tokens).reshape(tokens.shape[0], -1)))
        return self.decode(code).reshape(tokens.shape[0], LENGTH, VOCABULARY)


def loss_fn(model, source, target):
    return nn.losses.cross_entropy(model(source), target, reduction="mean")


mx.random.seed(51)
model = TokenAutoencoder()
optimizer = optim.Adam(learning_rate=0.01)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(40):
    tokens = mx.random.randint(0, VOCABULARY, (64, LENGTH))
    loss, grads = loss_and_grad(model, tokens, tokens)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
