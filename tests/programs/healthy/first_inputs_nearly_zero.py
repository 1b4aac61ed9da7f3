"""The first batches are of silence: gradients begin near zero and become normal, and the loss falls."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SILENT = 4
mx.random.seed(2)
secret = mx.random.normal((12, 2))
model = nn.Linear(12, 2, bias=False)
optimizer = optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for step in range(150):
    x = mx.random.normal((32, 12)) * (1e-5 if step < SILENT else 1.0)
    loss, grads = gradient(x, x @ secret)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
