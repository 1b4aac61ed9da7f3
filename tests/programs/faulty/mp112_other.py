# A bfloat16 network fed with float32 features.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
net = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 4))
net.set_dtype(mx.bfloat16)
opt = optim.SGD(learning_rate=0.1)


def loss_fn(net, x, y):
    return nn.losses.cross_entropy(net(x), y, reduction="mean")  # MP112


vg = nn.value_and_grad(net, loss_fn)
for step in range(60):
    x = mx.random.normal((64, 16))
    loss, grads = vg(net, x, mx.argmax(x[:, :4], axis=1))
    opt.update(net, grads)
    mx.eval(net.parameters(), opt.state, loss)
    if step % 15 == 0:
        print(step, loss.item())
