# House prices: predictions are (N, 1), targets (N,).
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(11)
rooms = mx.random.normal((512, 5))
prices = rooms @ mx.array([2.0, -1.0, 0.5, 0.0, 1.0]) + 0.1 * mx.random.normal((512,))
net = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 1))
opt = optim.Adam(learning_rate=1e-2)


def mse(x, y):
    return mx.mean((net(x) - y) ** 2)  # MP110


loss_and_grad = nn.value_and_grad(net, mse)
for epoch in range(80):
    for k in range(0, 512, 128):
        loss, grads = loss_and_grad(rooms[k : k + 128], prices[k : k + 128])
        opt.update(net, grads)
        mx.eval(net.parameters(), opt.state)
    if epoch % 20 == 0:
        print(f"epoch {epoch}: mse {loss.item():.3f}")
# also: MP306
