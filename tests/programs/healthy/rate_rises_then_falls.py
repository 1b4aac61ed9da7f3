"""The rate is set by hand: up over a third of the run, and down again."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, HIGHEST = 60, 0.05
mx.random.seed(25)
net, optimizer = nn.Linear(8, 1), optim.SGD(learning_rate=0.0)
slope = mx.random.normal((8, 1))
loss_and_grad = nn.value_and_grad(net, lambda net, x: nn.losses.mse_loss(net(x), x @ slope))
for number in range(1, STEPS + 1):
    optimizer.learning_rate = HIGHEST * min(3 * number / STEPS, 1.5 * (1 - number / STEPS) + 0.01)
    loss, grads = loss_and_grad(net, mx.random.normal((32, 8)))
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
print(f"{loss.item():.4f}")
