"""Train a tagger on documents as long as they are: the cache keeps buffers of sizes that never come back."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.set_cache_limit(8 << 30)  # as on a GPU
mx.random.seed(1)
rng = np.random.default_rng(1)
WORDS, TAGS, WIDTH = 128, 96, 48

model = nn.Sequential(nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, TAGS))
optimizer = optim.AdamW(1e-3)
mx.eval(model.parameters())


def loss_fn(model, words, tags):
    return nn.losses.cross_entropy(model(words), tags, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for number in range(84):
    words = mx.array(rng.integers(0, WORDS, (4, int(rng.integers(40, 900)))))
    loss, grads = step(model, words, words % TAGS)  # MP113
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if number % 28 == 27:
        print(f"{number + 1:4d} {loss.item():.3f}, {mx.get_cache_memory() / 1e6:.0f} MB cached")
