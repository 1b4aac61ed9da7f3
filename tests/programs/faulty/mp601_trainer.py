"""Train a small convolutional classifier with a trainer whose callback ranks the losses with MLX in a forked worker."""

import multiprocessing

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


def rank(losses, results):
    """Sort steps by their loss, worst first."""
    results.put(mx.argsort(-mx.array(losses))[:3].tolist())


class WorstSteps:
    """Reports the steps with the highest loss, worked out beside the training."""

    def __init__(self, every):
        self.every = every
        self.context = multiprocessing.get_context("fork")
        self.losses = []

    def on_step_end(self, step, loss):
        self.losses.append(loss)
        if (step + 1) % self.every == 0:
            self.report()

    def report(self):
        results = self.context.SimpleQueue()
        worker = self.context.Process(target=rank, args=(self.losses, results))
        worker.start()  # MP601
        worker.join(timeout=2)
        worker.kill()
        self.worst = None if results.empty() else results.get()


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, kernel_size=3)
        self.out = nn.Linear(6, 2)

    def __call__(self, images):
        return self.out(mx.max(self.conv(images), axis=(1, 2)))


class Trainer:
    def __init__(self, callbacks):
        self.rng = np.random.default_rng(62)
        self.callbacks = callbacks
        self.model = ConvNet()
        self.optimizer = optim.Adamax(learning_rate=0.03)
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    def stripes(self, size=16):
        """Return noisy images with a horizontal or a vertical bar."""
        upright = self.rng.integers(0, 2, size)
        images = self.rng.normal(0, 0.2, (size, 8, 8, 1))
        for image, vertical, place in zip(images, upright, self.rng.integers(1, 7, size), strict=True):
            image[(slice(None), place) if vertical else place] += 1.5
        return mx.array(images.astype(np.float32)), mx.array(upright)

    def loss(self, images, upright):
        return nn.losses.cross_entropy(self.model(images), upright, reduction="mean")

    def fit(self, steps):
        for step in range(steps):
            loss, grads = self.loss_and_grad(*self.stripes())
            self.optimizer.update(self.model, grads)
            mx.eval(loss, self.model.parameters(), self.optimizer.state)
            for callback in self.callbacks:
                callback.on_step_end(step, loss.item())


if __name__ == "__main__":
    mx.random.seed(62)
    callback = WorstSteps(every=30)
    Trainer([callback]).fit(30)
    print(f"{callback.losses[0]:.3f} -> {callback.losses[-1]:.3f}, worst at {callback.worst}")
