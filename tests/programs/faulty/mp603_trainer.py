"""Train on prefetched batches with a trainer whose epoch callback reseeds the loader under its lock."""

import queue
import threading

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Prefetcher:
    """Draws batches in a thread; the lock guards the generator and the epoch."""

    def __init__(self, depth=2):
        self.lock = threading.Lock()
        self.batches = queue.Queue(maxsize=depth)
        self.reseed(0)
        threading.Thread(target=self.produce, daemon=True).start()

    def reseed(self, epoch):
        self.epoch, self.rng = epoch, np.random.default_rng(epoch)

    def produce(self):
        while True:
            with self.lock:
                batch = self.epoch, self.rng.normal(0, 1, (16, 5)).astype(np.float32)
            self.batches.put(batch)

    def next_batch(self):
        epoch, x = self.batches.get()  # MP603
        return epoch, x


class ReseedEveryEpoch:
    def on_epoch_begin(self, trainer, epoch):
        loader = trainer.loader
        with loader.lock:
            loader.reseed(epoch)
            self.skip_stale(loader, epoch)

    def skip_stale(self, loader, epoch):
        while loader.next_batch()[0] != epoch:
            pass


class Trainer:
    def __init__(self, callbacks):
        self.loader = Prefetcher()
        self.callbacks = callbacks
        self.model = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))
        self.optimizer = optim.Adam(learning_rate=0.02)
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    def loss(self, x):
        return nn.losses.mse_loss(self.model(x), mx.sum(x, axis=1, keepdims=True))

    def step(self):
        _, x = self.loader.next_batch()
        loss, grads = self.loss_and_grad(mx.array(x))
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, epochs, steps):
        for epoch in range(epochs):
            if epoch > 0:
                for callback in self.callbacks:
                    callback.on_epoch_begin(self, epoch)
            for _ in range(steps):
                self.step()


if __name__ == "__main__":
    mx.random.seed(82)
    Trainer([ReseedEveryEpoch()]).fit(epochs=3, steps=12)
