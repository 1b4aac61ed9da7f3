"""Train a sequence regressor with a checkpoint callback, stop half-way, and let a second trainer carry on."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten


class Summer(nn.Module):
    """Predicts the running weighted sum of a sequence."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 16)
        self.out = nn.Linear(16, 1)

    def __call__(self, x):
        return self.out(self.rnn(x)[:, -1])


class Checkpoint:
    def __init__(self, folder, every):
        self.folder, self.every = Path(folder), every

    def on_step_end(self, trainer):
        if trainer.steps_done % self.every == 0:
            trainer.save(self.folder)


class Trainer:
    def __init__(self, callbacks=()):
        self.model = Summer()
        self.optimizer = optim.SGD(learning_rate=0.02, momentum=0.9)
        self.callbacks = callbacks
        self.steps_done = 0
        self.losses = []
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    def loss(self, x, y):
        return nn.losses.huber_loss(self.model(x), y, reduction="mean")

    def save(self, folder):
        self.model.save_weights(str(folder / "model.safetensors"))
        state = dict(tree_flatten(self.optimizer.state))
        mx.save_safetensors(str(folder / "optimizer.safetensors"), state)

    def restore(self, folder):
        self.model.load_weights(str(Path(folder) / "model.safetensors"))  # MP402
        mx.eval(self.model.parameters())
        return self

    def train_step(self, x, y):
        loss, grads = self.loss_and_grad(x, y)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        self.losses.append(loss.item())
        self.steps_done += 1

    def fit(self, steps):
        for _ in range(steps):
            x = mx.random.uniform(-1, 1, (32, 6, 2))
            self.train_step(x, mx.sum(x[..., :1] - 0.5 * x[..., 1:], axis=1))
            for callback in self.callbacks:
                callback.on_step_end(self)
        return self


if __name__ == "__main__":
    mx.random.seed(32)
    with tempfile.TemporaryDirectory() as folder:
        first = Trainer([Checkpoint(folder, every=10)]).fit(20)
        second = Trainer().restore(folder).fit(20)
    print(f"{first.losses[0]:.3f} -> {first.losses[-1]:.3f}, then {second.losses[0]:.3f} -> {second.losses[-1]:.3f}")
