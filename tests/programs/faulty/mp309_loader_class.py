"""A loader of NumPy's arrays whose iteration is begun anew at every step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Loader:
    def __init__(self, x, y, size):
        self.x, self.y, self.size = x, y, size

    def __iter__(self):
        for i in range(0, len(self.x), self.size):
            yield mx.array(self.x[i : i + self.size]), mx.array(self.y[i : i + self.size])


rng = np.random.default_rng(2)
mx.random.seed(2)
X = rng.normal(size=(600, 10)).astype(np.float32)
loader = Loader(X, (X @ rng.normal(size=10) > 0).astype(np.int32), 40)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
opt = optim.Adam(2e-3)
vg = nn.value_and_grad(net, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))


def main():
    for k in range(120):
        x, y = next(iter(loader))  # MP309
        loss, g = vg(net, x, y)
        opt.update(net, g)
        mx.eval(net.parameters(), opt.state, loss)
        if k % 40 == 0:
            print(loss.item())


main()
