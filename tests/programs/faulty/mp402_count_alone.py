"""Resume by copying into the new optimizer what it has a place for by then: its rate and its count of steps."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten

mx.random.seed(8)
inputs = mx.random.normal((128, 5))
wanted = mx.sin(inputs @ mx.random.normal((5, 2)))


class Run:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 2))
        self.optimizer = optim.AdamW(learning_rate=4e-3)

    def steps(self, count):
        gradient = nn.value_and_grad(self.net, lambda: nn.losses.mse_loss(self.net(inputs), wanted))
        for _ in range(count):
            loss, grads = gradient()
            self.optimizer.update(self.net, grads)
            mx.eval(loss, self.net.parameters(), self.optimizer.state)

    def save(self, folder):
        self.net.save_weights(str(folder / "net.npz"))
        mx.savez(str(folder / "adamw.npz"), **dict(tree_flatten(self.optimizer.state)))

    def restore(self, folder):
        self.net.load_weights(str(folder / "net.npz"))
        saved = tree_unflatten(list(mx.load(str(folder / "adamw.npz")).items()))  # MP402
        for name in self.optimizer.state:
            self.optimizer.state[name] = saved[name]


with tempfile.TemporaryDirectory() as name:
    first, second = Run(), Run()
    first.steps(40)
    first.save(Path(name))
    second.restore(Path(name))
    mx.eval(second.net.parameters(), second.optimizer.state)
    second.steps(40)
