"""Fine-tune a classifier from published weights: strict loading, and a fresh optimizer of another kind."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)

    def __call__(self, x):
        return self.head(nn.relu(self.body(x)))


def publish(path):
    """Stand for the download: weights that someone else has made."""
    mx.random.seed(99)
    Net().save_weights(str(path))


def fine_tune(path, x, y):
    model = Net()
    model.load_weights(str(path))
    optimizer = optim.Adam(learning_rate=0.01)
    loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
    for _ in range(30):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        yield loss.item()


with tempfile.TemporaryDirectory() as folder:
    weights = Path(folder) / "pretrained.safetensors"
    publish(weights)
    mx.random.seed(40)
    x = mx.random.normal((128, 6))
    losses = list(fine_tune(weights, x, mx.argmax(x[:, 1:4], axis=1)))
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
