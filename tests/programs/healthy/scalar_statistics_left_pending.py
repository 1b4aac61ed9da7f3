"""Keep a sum, a count and a running mean of evaluated losses as arrays that are read after the last step alone."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
model = nn.Linear(6, 1)
optimizer = optim.SGD(learning_rate=0.05, momentum=0.9)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

statistics = {"loss": mx.array(0.0), "steps": mx.array(0)}
smooth = mx.array(0.0)
for _ in range(200):
    x = mx.random.normal((32, 6))
    loss, grads = loss_and_grad(x, x[:, :1])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    statistics["loss"] = statistics["loss"] + loss
    statistics["steps"] = statistics["steps"] + 1
    smooth = 0.9 * smooth + 0.1 * loss
print(f"mean {(statistics['loss'] / statistics['steps']).item():.4f}, at last {smooth.item():.6f}")
