"""Tag items of which several tags hold at once, with the loss for one class of many."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

TAGS = 12


def loss_fn(model, x, tags):
    return nn.losses.cross_entropy(model(x), tags, reduction="mean")  # MP302


mx.random.seed(8)
rule = mx.random.normal((20, TAGS)) / 4
model = nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, TAGS))
optimizer = optim.AdamW(learning_rate=2e-3)
step = nn.value_and_grad(model, loss_fn)
for _ in range(60):
    x = mx.random.normal((48, 20))
    loss, grads = step(model, x, (x @ rule > 0.35).astype(mx.float32))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
# also: MP306
