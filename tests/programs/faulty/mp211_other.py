# Hypernetwork-style adapters: A and B are layers of their own, the step is compiled.
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Delta(nn.Module):
    def __init__(self, inp, out, r):
        super().__init__()
        self.A = nn.Linear(inp, r, bias=False)
        self.B = nn.Linear(r, out, bias=False)
        self.B.weight = mx.zeros_like(self.B.weight)
        self.alpha, self.r = 16, r

    def __call__(self, x):
        return self.B(self.A(x)) * (self.alpha / self.r)


class WithDelta(nn.Module):
    def __init__(self, base, r=3):
        super().__init__()
        out, inp = base.weight.shape
        self.base, self.delta = base, Delta(inp, out, r)

    def __call__(self, x):
        return self.base(x) + self.delta(x)


class Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(20, 24)
        self.rnn = nn.GRU(24, 24)
        self.mix = nn.Linear(24, 48)
        self.out = nn.Linear(48, 20)

    def __call__(self, t):
        return self.out(mx.tanh(self.mix(self.rnn(self.emb(t)))))


mx.random.seed(8)
net = Seq()
net.emb.freeze()
net.rnn.freeze()  # the recurrent part stays as it is
net.mix, net.out = WithDelta(net.mix), WithDelta(net.out)  # MP211
opt = optim.Adam(learning_rate=4e-3)
state = [net.state, opt.state]


def loss_fn(net, t):
    return nn.losses.cross_entropy(net(t[:, :-1]), t[:, 1:], reduction="mean")


def train():
    @partial(mx.compile, inputs=state, outputs=state)
    def step(t):
        loss, g = nn.value_and_grad(net, loss_fn)(net, t)
        opt.update(net, g)
        return loss

    first = mx.random.randint(0, 20, (16, 1))
    t = (first + 3 * mx.arange(12)) % 20
    for _ in range(60):
        loss = step(t)
        mx.eval(state, loss)
    return loss.item()


print(train())
