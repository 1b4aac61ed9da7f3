# Batch normalisation learns from the validation batches too.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
net = nn.Sequential(nn.Linear(5, 32), nn.BatchNorm(32), nn.ReLU(), nn.Linear(32, 1))
opt = optim.SGD(learning_rate=0.05)
w = mx.random.normal((5,))


def error(net, x):
    return nn.losses.mse_loss(net(x)[:, 0], x @ w)


vg = nn.value_and_grad(net, error)
for epoch in range(6):
    for _ in range(15):
        loss, grads = vg(net, mx.random.normal((32, 5)))
        opt.update(net, grads)
        mx.eval(net.parameters(), opt.state)
    held_out = [error(net, 2 + mx.random.normal((16, 5))).item() for _ in range(3)]  # MP226
    print(epoch, loss.item(), sum(held_out) / 3)
