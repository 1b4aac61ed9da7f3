"""The seed is set for each epoch and before each validation; a step's own seed is its number."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
optimizer = optim.Adam(learning_rate=3e-3)


def loss_fn(net, x):
    return nn.losses.mse_loss(net(x)[:, 0], x.sum(axis=1))


def validated():
    mx.random.seed(123)
    net.eval()
    losses = [loss_fn(net, mx.random.normal((64, 8))).item() for _ in range(3)]
    net.train()
    return sum(losses) / 3


gradient = nn.value_and_grad(net, loss_fn)
for epoch in range(6):
    mx.random.seed(epoch)
    for step in range(12):
        if epoch % 2:
            mx.random.seed(1000 * epoch + step)
        loss, grads = gradient(net, mx.random.normal((32, 8)))
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state, loss)
    print(epoch, loss.item(), validated())
