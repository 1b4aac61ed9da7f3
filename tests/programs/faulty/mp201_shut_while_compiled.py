# Both factors of a gated layer begin at zero, in a compiled step that takes a while: neither ever moves.
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WIDTH = 160


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.gate = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.back = nn.Linear(2 * WIDTH, WIDTH, bias=False)
        self.value.weight = mx.zeros_like(self.value.weight)
        self.gate.weight = mx.zeros_like(self.gate.weight)

    def __call__(self, x):
        return x + self.back(nn.silu(self.gate(x)) * self.value(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Linear(24, WIDTH)
        self.layers = [Gated() for _ in range(4)]
        self.out = nn.Linear(WIDTH, 6)

    def __call__(self, x):
        x = nn.relu(self.into(x))
        for layer in self.layers:
            x = layer(x)
        return self.out(x)


mx.random.seed(6)
net = Net()
optimizer = optim.AdamW(learning_rate=1e-3)
state = [net.state, optimizer.state]
points = mx.random.normal((4096, 24))
kinds = mx.argmax(points[:, :6] * points[:, 6:12], axis=1)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


value_and_grad = nn.value_and_grad(net, loss_fn)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = value_and_grad(net, x, y)  # MP201
    optimizer.update(net, grads)
    return loss


for _ in range(40):
    chosen = mx.random.randint(0, 4096, (512,))
    loss = step(points[chosen], kinds[chosen])
    mx.eval(state, loss)
print(loss.item())
