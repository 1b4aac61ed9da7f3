"""Decay to a tenth of the first rate early, and go on there; the first ten updates warm up."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(78)
model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 3))
warmup = optim.linear_schedule(0.0, 0.02, 10)
decay = optim.cosine_decay(0.02, 20, end=0.002)
optimizer = optim.AdamW(learning_rate=optim.join_schedules([warmup, decay], [10]))
x = mx.random.normal((256, 5))
y = mx.argmax(x[:, :3], axis=1)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))

for step in range(90):
    rows = mx.random.randint(0, 256, (64,))
    loss, grads = loss_and_grad(x[rows], y[rows])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 15 == 0:
        print(step, loss.item(), optimizer.learning_rate.item())
