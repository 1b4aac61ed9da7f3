"""Keep the device busy with async_eval and read each step's loss only after the next step is under way."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(24)
table = mx.random.normal((30, 5))


def stream_of_batches(steps):
    for _ in range(steps):
        ids = mx.random.randint(0, 30, (64,))
        yield ids, table[ids]


class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.out = nn.Linear(16, 5)

    def __call__(self, ids):
        return self.out(self.embedding(ids))


model = Lookup()
optimizer = optim.AdamW(learning_rate=0.05, weight_decay=0.0)
loss_and_grad = nn.value_and_grad(model, lambda m, ids, y: nn.losses.l1_loss(m(ids), y))

losses, previous = [], None
for ids, target in stream_of_batches(40):
    loss, grads = loss_and_grad(model, ids, target)
    optimizer.update(model, grads)
    mx.async_eval(loss, model.parameters(), optimizer.state)
    if previous is not None:
        losses.append(previous.item())
    previous = loss
losses.append(previous.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
