"""Start a network from one constant: its thirty units stay one."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(31)
net = nn.Sequential(nn.Linear(4, 30), nn.Tanh(), nn.Linear(30, 1))
net.apply(nn.init.constant(0.1))  # MP217
optimizer = optim.SGD(learning_rate=0.05)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
for step in range(200):
    x = mx.random.uniform(-1, 1, (64, 4))
    loss, grads = gradient(x, mx.sin(3 * x[:, :1]) * x[:, 1:2])
    optimizer.update(net, grads)
    mx.eval(net.parameters(), loss)
    if step % 50 == 0:
        print(step, loss.item())
