"""Try thirty steps of a run that is to warm up for two thousand."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(79)
model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 1))
warmup = optim.linear_schedule(1e-3, 0.3, 2000)
decay = optim.cosine_decay(0.3, 50_000)
optimizer = optim.Adam(learning_rate=optim.join_schedules([warmup, decay], [2000]))
x = mx.random.normal((256, 5))
y = x @ mx.random.normal((5, 1))
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

for step in range(30):
    loss, grads = loss_and_grad(x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    print(step, loss.item())
