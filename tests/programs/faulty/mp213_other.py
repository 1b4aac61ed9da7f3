# Two hand-made layers, their weights in a tuple.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class MLP(nn.Module):
    def __init__(self, n, h, k):
        super().__init__()
        self.weights = (mx.random.normal((n, h)) / n**0.5, mx.random.normal((h, h)) / h**0.5)  # MP213
        self.out = nn.Linear(h, k)

    def __call__(self, x):
        for w in self.weights:
            x = mx.tanh(x @ w)
        return self.out(x)


mx.random.seed(3)
rule = mx.random.normal((7, 3))
net = MLP(7, 32, 3)
opt = optim.SGD(learning_rate=0.2)


def loss_fn(net, x):
    return nn.losses.cross_entropy(net(x), mx.argmax(x @ rule, axis=1), reduction="mean")


vg = nn.value_and_grad(net, loss_fn)
for it in range(80):
    loss, grads = vg(net, mx.random.normal((64, 7)))
    opt.update(net, grads)
    mx.eval(net.parameters(), opt.state)
    if it % 20 == 0:
        print(it, loss.item())
