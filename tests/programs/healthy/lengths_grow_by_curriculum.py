"""Sequence lengths follow a curriculum of four stages."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
model = nn.Sequential(nn.Embedding(19, 24), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 19))
optimizer = optim.AdamW(learning_rate=3e-3)


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
for stage, length in enumerate((8, 12, 16, 24)):
    for step in range(25):
        start = mx.random.randint(0, 19, (8, 1))
        loss, grads = loss_and_grad(model, (start + 3 * mx.arange(length)) % 19)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(f"stage {stage}, length {length}: {loss.item():.3f}")
