"""Adam with a rate of 0.1 for a small language model: 3.6, then 50, then 3.7 again."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS, LENGTH = 32, 16
mx.random.seed(1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, 32), nn.Embedding(LENGTH, 32)
        self.blocks = nn.TransformerEncoder(1, 32, 4, norm_first=True)
        self.head = nn.Linear(32, WORDS)

    def __call__(self, ids):
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        return self.head(self.blocks(self.words(ids) + self.places(mx.arange(ids.shape[1])), mask))


model, optimizer = Model(), optim.Adam(learning_rate=0.1)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for step in range(120):
    start, stride = mx.random.randint(0, WORDS, (16, 1)), mx.random.randint(1, 4, (16, 1))
    ids = (start + stride * mx.arange(LENGTH + 1)) % WORDS
    loss, grads = gradient(ids[:, :-1], ids[:, 1:])  # MP306
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 20 == 19:
        print(step, loss.item())
