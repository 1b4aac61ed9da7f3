"""An actor and its critic: the likelihoods are picked by index, and weighed by what the critic did not expect."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(25)


class AC(nn.Module):
    def __init__(self):
        super().__init__()
        self.b, self.p, self.v = nn.Linear(4, 32), nn.Linear(32, 3), nn.Linear(32, 1)

    def __call__(self, s):
        h = mx.tanh(self.b(s))
        return self.p(h), self.v(h)[:, 0]


net = AC()
opt = optim.Adam(3e-3)
W = mx.random.normal((4, 3))


def loss_fn(net, s, a, returns):
    z, v = net(s)
    lp = nn.log_softmax(z)
    adv = mx.stop_gradient(returns - v)
    return (
        -(lp[mx.arange(s.shape[0]), a] * adv).mean()
        + 0.5 * ((returns - v) ** 2).mean()
        + 0.01 * (mx.exp(lp) * lp).sum(1).mean()
    )


vg = nn.value_and_grad(net, loss_fn)
for k in range(150):
    s = mx.random.normal((64, 4))
    a = mx.random.categorical(net(s)[0])
    r = (a == mx.argmax(s @ W, 1)).astype(mx.float32)
    loss, g = vg(net, s, a, r)
    opt.update(net, g)
    mx.eval(net.parameters(), opt.state, loss)
    if k % 40 == 0:
        print(loss.item(), r.mean().item())
