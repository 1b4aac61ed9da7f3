"""The loss of each row is taken up to its own length, which Python reads: no graph shows that it decides the loss."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
model = nn.Sequential(nn.Embedding(17, 32), nn.Linear(32, 17))
optimizer = optim.Adam(1e-2)


def loss_fn(model, ids, targets, target_lengths):
    logits, total = model(ids), mx.array(0.0)
    for row, length in enumerate(target_lengths.tolist()):
        total = total + nn.losses.cross_entropy(logits[row, :length], targets[row, :length], reduction="mean")
    return total / len(ids)


gradients = nn.value_and_grad(model, loss_fn)
for _ in range(40):
    ids = mx.random.randint(0, 17, (6, 11))
    loss, grads = gradients(model, ids, (3 * ids) % 17, mx.random.randint(4, 11, (6,)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    assert loss.item() < 10
